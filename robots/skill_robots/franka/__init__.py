"""The Franka Emika Panda (FER): model, kinematics, published limits."""
