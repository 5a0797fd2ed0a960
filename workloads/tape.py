"""Recorded functions: what a function of tensors did, as a flat list of operations to replay.

A training step made of small tensors spends most of its time in Python and in autograd's
bookkeeping, not in arithmetic. A *tape* runs the step once, notes every operation that torch
executed, forward, backward and update alike, and from then on executes that list alone:
no autograd graph, no views made anew, nothing computed twice that does not change.

What a replay may change: the tensors passed in anew each time (*inputs*) and the contents of
tensors that were there before and are written in place (*places*: parameters, optimizer
state). Every other tensor met while recording is a constant. A function whose operations
depend on the values in its tensors cannot be taped; :meth:`Tape.prove` finds out.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

Tensors = list[torch.Tensor]
Function = Callable[..., Tensors]
Sizes = tuple[torch.Size, ...]

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.bfloat16: 1e-1}
"""How far a replay may be from what it recorded; equal kernels give equal bits."""

FILLS = {"ones_like", "zeros_like", "full_like", "new_ones", "new_zeros", "new_full"}
"""Operations that look at nothing but the shape of the tensor they are given."""
DETACH = torch.ops.aten.detach.default
CLONE = torch.ops.aten.clone.default


class Tape:
    """A recorded function. Calling it replays the operations and returns the outputs.

    Recording runs the function once, for good: ``first`` holds its outputs.
    """

    def __init__(self, function: Function, inputs: Tensors, places: Tensors) -> None:
        with _Recorder(inputs, places) as recorder:
            self.first = function(*inputs)
        self._function, self._places = function, places
        module = recorder.compile(self.first)
        self.operations = sum(node.op == "call_function" for node in module.graph.nodes)
        self.code = module.code
        """What a replay does, as the text of a Python function."""
        # Constants are arguments, not attributes: looking those up takes longer than a small
        # operation.
        self._forward, self._constants = module.forward, recorder.constants

    def __call__(self, *inputs: torch.Tensor) -> Tensors:
        """The outputs for inputs of the shapes that were recorded."""
        # Inference mode spares the bookkeeping of versions and views, too.
        with torch.inference_mode():
            outputs: Tensors = self._forward(*inputs, *self._constants)
            return outputs

    def prove(self, *inputs: torch.Tensor, tolerance: float) -> tuple[Tensors, bool]:
        """Run replay and function on these inputs; places end as the function left them.

        Returns the function's outputs, and whether the replay did the same.
        """
        before = [place.clone() for place in self._places]
        found = [*self(*inputs), *(place.clone() for place in self._places)]
        for place, value in zip(self._places, before, strict=True):
            place.copy_(value)
        outputs = self._function(*inputs)
        pairs = zip(found, [*outputs, *self._places], strict=True)
        return outputs, all(torch.allclose(a, b, tolerance, tolerance, True) for a, b in pairs)


class Learned:
    """A function that is taped where that is safe, one tape for each size of its inputs.

    The first call of a size is the recording, the second proves the replay; a function that
    cannot be taped (a user's model may branch on values) goes on as it is.
    """

    def __init__(self, function: Function, places: Tensors) -> None:
        self.function, self.places = function, places
        self.tolerance = TOLERANCE[places[0].dtype]
        self.tapes: dict[Sizes, Tape | None] = {}
        self.proved: set[Sizes] = set()

    def __call__(self, *inputs: torch.Tensor) -> Tensors:
        """What the function returns for these inputs; it, or its replay, is run once."""
        size = tuple(t.shape for t in inputs)
        if size in self.proved:
            return (self.tapes[size] or self.function)(*inputs)
        return self._learn(size, inputs)

    def _learn(self, size: Sizes, inputs: tuple[torch.Tensor, ...]) -> Tensors:
        tape = self.tapes.get(size)
        if tape is None:
            tape = self.tapes[size] = Tape(self.function, list(inputs), self.places)
            return tape.first
        outputs, same = tape.prove(*inputs, tolerance=self.tolerance)
        if not same:
            self.tapes[size] = None
        self.proved.add(size)
        return outputs


class _Recorder(TorchDispatchMode):
    """Notes operations below autograd as nodes of a graph.

    ``nodes``: tensor -> where its value comes from in a replay; tensors that are not there
    are constants. ``live``: memory whose contents differ from replay to replay.
    """

    def __init__(self, inputs: Tensors, places: Tensors) -> None:
        TorchDispatchMode.__init__(self)
        self.graph = fx.Graph()
        self.constants: Tensors = []
        self.nodes: dict[int, fx.Node] = {}
        self.kept: list[Any] = []  # ids stay unique as long as nothing is freed
        self.places = {_memory(place) for place in places}
        self.live = self.places | {_memory(tensor) for tensor in inputs}
        for i, tensor in enumerate(inputs):
            self._note(tensor, self.graph.placeholder(f"input_{i}"))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # wrapping us would import all of torch.compile, a second or more

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation, and note it unless every replay would give the same."""
        kwargs = kwargs or {}
        given = _tensors((args, kwargs))
        if func._schema.is_mutable:
            self._free_constants(func, args)
        out = func(*args, **kwargs)
        made = _tensors(out)
        self.kept += (given, made)
        if func is DETACH and id(given[0]) in self.nodes:
            self._note(out, self.nodes[id(given[0])])
        elif self._must_repeat(func, given, made):
            self.live |= {_memory(t) for t in made}
            call = self.graph.call_function(func, *self._by_node((args, kwargs)))
            self._note_all(out, call)
        return out

    def compile(self, outputs: Tensors) -> fx.GraphModule:
        """The operations as one function of inputs and constants; those without effect are out."""
        self.graph.output([self._node(t) for t in outputs])
        self.graph.eliminate_dead_code()
        for node in self.graph.nodes:
            if node.op == "call_function":
                node.target = _direct(node.target)
        return fx.GraphModule({}, self.graph)

    def _must_repeat(self, func: Any, given: Tensors, made: Tensors) -> bool:
        if func._schema.is_mutable or torch.Tag.nondeterministic_seeded in func.tags:
            return True
        if func.overloadpacket.__name__ in FILLS:
            return False
        if made and all(_memory(t) in self.places for t in made):
            return any(self._came_in(t) for t in given)  # a view of a place stays one
        return any(_memory(t) in self.live for t in given)

    def _came_in(self, tensor: torch.Tensor) -> bool:
        node = self.nodes.get(id(tensor))
        return node is not None and not node.name.startswith("constant")

    def _free_constants(self, func: Any, args: Sequence[Any]) -> None:
        """A constant that is about to be written starts each replay as a copy of what it was."""
        for argument, value in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            for tensor in _tensors(value):
                if _memory(tensor) not in self.live:
                    start = self._constant(tensor.detach().clone())
                    self.live.add(_memory(tensor))
                    self._note(tensor, self.graph.call_function(CLONE, (start,)))

    def _note(self, tensor: torch.Tensor, node: fx.Node) -> None:
        self.nodes[id(tensor)] = node
        self.kept.append(tensor)

    def _note_all(self, out: Any, call: fx.Node) -> None:
        if isinstance(out, torch.Tensor):
            self._note(out, call)
        elif isinstance(out, list | tuple):
            for i, part in enumerate(out):
                self._note_all(part, self.graph.call_function(operator.getitem, (call, i)))

    def _by_node(self, values: Any) -> Any:
        return tree_map(lambda v: self._node(v) if isinstance(v, torch.Tensor) else v, values)

    def _node(self, tensor: torch.Tensor) -> fx.Node:
        if id(tensor) not in self.nodes:
            self._note(tensor, self._constant(tensor.detach()))
        return self.nodes[id(tensor)]

    def _constant(self, tensor: torch.Tensor) -> fx.Node:
        name = f"constant_{len(self.constants)}"
        self.constants.append(tensor)
        return self.graph.placeholder(name)


def _memory(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _tensors(values: Any) -> Tensors:
    return [v for v in tree_leaves(values) if isinstance(v, torch.Tensor)]


def _direct(operation: Any) -> Any:
    """The plain binding of an operation, where torch has one: half the cost of a call."""
    if not isinstance(operation, torch._ops.OpOverload):
        return operation
    name = operation._schema.name.removeprefix("aten::")
    linalg = getattr(torch._C, "_linalg", None)
    return getattr(torch._C._VariableFunctions, name, getattr(linalg, name, operation))
