"""The base of callbacks, and what calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastcnn.errors import DTypeError

Logs = dict[str, Any] | None


class Callback:
    """Does something while a model is trained, evaluated or asked to predict.

    A subclass defines those of the functions below that it needs; all others do nothing. `logs`
    holds the loss and the metrics so far, as floats; at the end of an epoch also those of the
    validation data, as ``val_...``.

    Attributes
    ----------
    model : Model
        The model that is trained.
    params : dict
        ``verbose``, ``epochs`` and ``steps``, the number of batches of an epoch, or None.

    Examples
    --------
    >>> import fastcnn as fc
    >>> class StopAt(fc.callbacks.Callback):
    ...     def __init__(self, accuracy):
    ...         super().__init__()
    ...         self.accuracy = accuracy
    ...
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         if logs["accuracy"] >= self.accuracy:
    ...             self.model.stop_training = True
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self.model: Any = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Take what `params` says."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model."""
        self.model = model

    def on_train_begin(self, logs: Logs = None) -> None:
        """Do something before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Do something after the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Do something before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Do something after an epoch, and after its validation."""

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Do something before a step of training; the older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Do something after a step of training; the older name of `on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Do something before a step of training, counted from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Do something after a step of training."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Do something before evaluation or validation."""

    def on_test_end(self, logs: Logs = None) -> None:
        """Do something after evaluation or validation."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Do something before a batch of evaluation or validation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Do something after a batch of evaluation or validation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Do something before prediction."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """Do something after prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Do something before a batch of prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Do something after a batch of prediction."""


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        Called with ``(epoch, logs)``.
    on_train_begin, on_train_end : callable, optional
        Called with ``(logs)``.
    on_train_batch_begin, on_train_batch_end : callable, optional
        Called with ``(batch, logs)``.
    **kwargs : callable
        Any other function of `Callback`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> tell = fc.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
    >>> tell.on_epoch_end(0, {"loss": 1.5})
    0 {'loss': 1.5}
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Callable[..., Any],
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in given.items():
            if not (name.startswith("on_") and hasattr(Callback, name)):
                raise TypeError(f"LambdaCallback got an unexpected keyword argument {name!r}")
            if function is not None:
                setattr(self, name, function)


class History(Callback):
    """Keeps the loss and the metrics of every epoch; `Model.fit` returns it.

    Attributes
    ----------
    history : dict of str to list of float
        ``"loss"``, ``"val_loss"`` and the names of the metrics, a number for each epoch. A
        `History` that is given to several `fit` as a callback keeps those of all.
    epoch : list of int
        The numbers of the epochs, counted from 0.
    epochs : dict of str to list of int
        Of which epoch each number in `history` is: what validation gives may be of a few only.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.epochs: dict[str, list[int]] = {}

    def on_train_begin(self, logs: Logs = None) -> None:
        """Start anew."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Keep what the epoch gave."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self.epochs.setdefault(name, []).append(epoch)
        self.model.history = self


class CallbackList:
    """Calls several callbacks, in their order.

    Parameters
    ----------
    callbacks : Callback, iterable of Callback, or CallbackList, optional
    add_history, add_progbar : bool, default False
        Whether to add a `History`, before the others, and a `ProgbarLogger`, unless there is one.
    model : Model, optional
    **params
        What becomes the `params` of each.

    Attributes
    ----------
    history : History or None
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        from fastcnn.callbacks.logs import ProgbarLogger

        self.callbacks: list[Callback] = [*_listed(callbacks)]
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise DTypeError(f"callbacks: expected a Callback, got {callback!r}")
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        if add_history and not any(isinstance(c, History) for c in self.callbacks):
            self.callbacks.append(History())
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    @property
    def history(self) -> History | None:
        """The first `History` among them."""
        return next((c for c in self.callbacks if isinstance(c, History)), None)

    def append(self, callback: Callback) -> None:
        """Add one at the end."""
        self.callbacks.append(callback)

    def __iter__(self) -> Iterator[Callback]:
        return iter(self.callbacks)

    def set_params(self, params: dict[str, Any]) -> None:
        """Give all of them the parameters of the training."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Give all of them the model."""
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Call all of them before the first epoch."""
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Logs = None) -> None:
        """Call all of them after the last epoch."""
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Call all of them before an epoch."""
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Call all of them after an epoch; what one adds to `logs`, those after it see."""
        self._call("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Call all of them before a step."""
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Call all of them after a step."""
        self._call("on_train_batch_end", batch, logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Call all of them before evaluation."""
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: Logs = None) -> None:
        """Call all of them after evaluation."""
        self._call("on_test_end", logs)

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Call all of them before a batch of evaluation."""
        self._call("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Call all of them after a batch of evaluation."""
        self._call("on_test_batch_end", batch, logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Call all of them before prediction."""
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        """Call all of them after prediction."""
        self._call("on_predict_end", logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Call all of them before a batch of prediction."""
        self._call("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Call all of them after a batch of prediction."""
        self._call("on_predict_batch_end", batch, logs)

    def _call(self, name: str, *arguments: Any) -> None:
        *place, logs = arguments
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, name)(*place, logs)


def _listed(callbacks: Any) -> Iterable[Any]:
    if callbacks is None:
        return ()
    return callbacks if isinstance(callbacks, Iterable) else (callbacks,)
