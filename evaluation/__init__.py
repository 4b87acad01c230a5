"""Evaluation of explanations and modifications: stability, fidelity, faithfulness, planted truth. Empty so far."""
