"""What training calls between its steps, with the names and arguments of Keras."""

from fastcnn.callbacks.callback import Callback, CallbackList, History, LambdaCallback
from fastcnn.callbacks.checkpoints import BackupAndRestore, ModelCheckpoint
from fastcnn.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from fastcnn.callbacks.logs import CSVLogger, ProgbarLogger
from fastcnn.callbacks.stopping import EarlyStopping, TerminateOnNaN
from fastcnn.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
]
