"""Online serving of a policy file to an arm; never imports torch."""
