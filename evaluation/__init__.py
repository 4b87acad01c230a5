"""Evaluation of explanations and modifications: stability, fidelity, faithfulness, sanity, truth, response to gains."""
