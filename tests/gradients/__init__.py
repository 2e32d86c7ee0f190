"""Gradients of ops and graphs against finite differences in float64 and against torch."""
