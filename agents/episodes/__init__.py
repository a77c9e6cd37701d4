"""What happens to what agents did: store, replay, score, view."""
