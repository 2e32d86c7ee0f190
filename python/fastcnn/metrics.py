import numpy as np
from fastcnn.variable import Variable
from fastcnn import ops


class Mean:
    def __init__(self, name):
        self.name = name
        self.total = Variable(np.zeros(()))
        self.count = Variable(np.zeros(()))

    variables = property(lambda s: [s.total, s.count])

    def update_state(self, v, sample_weight=None):
        self.total.assign_add(v * sample_weight)
        self.count.assign_add(sample_weight)

    def result(self):
        return float(self.total.view()) / max(float(self.count.view()), 1e-30)

    def reset_state(self):
        self.total.assign(0.0)
        self.count.assign(0.0)


def get(*a):
    raise NotImplementedError
