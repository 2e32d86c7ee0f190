"""Style transfer: costs against formulas and PyTorch, the plan of a step, whole runs."""
