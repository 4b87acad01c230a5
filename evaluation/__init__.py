"""Evaluation of explanations and modifications: stability, fidelity, faithfulness, planted truth. Nothing is here yet."""
