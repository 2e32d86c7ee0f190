from fastcnn import ops
class SparseCategoricalCrossentropy:
    ignore_class=None
    def __init__(self,from_logits=False): pass
    def __call__(self,y,p,sample_weight=None):
        return ops.mean(ops.square(p))
def get(x):
    if callable(x): return x
    def mse(y,p,sample_weight=None): return ops.mean(ops.square(y-p))
    return mse
