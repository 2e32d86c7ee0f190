from fastcnn import ops


class SparseCategoricalCrossentropy:
    ignore_class = None


def get(x):
    if callable(x):
        return x

    def mse(y, p, sample_weight=None):
        return ops.mean(ops.square(y - p))

    return mse
