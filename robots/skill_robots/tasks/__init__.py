"""The worlds a policy acts in, with rollouts and metrics over any callable policy."""
