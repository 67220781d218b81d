"""What an answer must be before a verifier may see it.

Some verifiers of reasoning-gym evaluate an answer as Python or as a formula, or hang or are fooled by some numbers. An
answer is an agent's text, so these get harmless ones only; any other is worth nothing.
"""

import ast
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

__all__ = ["SCREENS", "is_harmless"]

_MAX_FORMULA = 500
_MAX_DEPTH = 3  # powers and functions within each other
_MAX_NUMBER = 10**12
_MAX_EXPONENT = 32
_FUNCTIONS = {
    *("Abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "cot"),
    *("csc", "exp", "log", "ln", "sec", "sin", "sinh", "sqrt", "tan", "tanh"),
}
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.UAdd, ast.USub)
_HUGE = re.compile(r"e[+-]?\d{4}", re.IGNORECASE)


def is_harmless(dataset: str, answer: str) -> bool:
    """Tell whether the dataset's verifier may see an answer."""
    screen = SCREENS.get(dataset)
    return screen is None or screen(answer)


def _is_data(answer: str) -> bool:
    """Whether it is a literal, a name, or no Python at all: then evaluating it does nothing."""
    try:
        ast.literal_eval(answer)
    except SyntaxError:
        return True
    except (MemoryError, RecursionError, TypeError, ValueError):
        return answer.strip().isidentifier()
    return True


def _is_formula(answer: str) -> bool:
    """Whether it is a formula of numbers, symbols and known functions, and a small one."""
    tree = _parsed(answer)
    return tree is not None and _fits(tree, _MAX_DEPTH)


def _is_sum(answer: str) -> bool:
    """Whether it is arithmetic on numbers, without powers."""
    tree = _parsed(answer)
    return tree is not None and _fits(tree, 0) and not any(isinstance(node, ast.Name) for node in ast.walk(tree))


def _parsed(answer: str) -> ast.expr | None:
    if len(answer) > _MAX_FORMULA or not answer.isascii():
        return None
    try:
        return ast.parse(answer.strip(), mode="eval").body
    except (MemoryError, RecursionError, SyntaxError, ValueError):
        return None


def _fits(node: ast.expr, depth: int) -> bool:
    """Whether it has nothing but what a formula has; no powers and functions where the depth is 0."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return abs(value) < _MAX_NUMBER
        case ast.UnaryOp(op=op, operand=operand):
            return isinstance(op, _OPERATORS) and _fits(operand, depth)
        case ast.BinOp(op=ast.Pow(), left=base, right=exponent):
            return depth > 0 and _is_small(exponent) and _fits(base, depth - 1)
        case ast.BinOp(op=op, left=left, right=right):
            return isinstance(op, _OPERATORS) and _fits(left, depth) and _fits(right, depth)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return depth > 0 and name in _FUNCTIONS and _fits(argument, depth - 1)
        case ast.Name(id=name):
            return len(name) == 1 or name == "pi"
    return False


def _is_small(exponent: ast.expr) -> bool:
    """Whether it is a small number, or a fraction of two; others could make a number that no memory holds."""
    match exponent:
        case ast.Constant(value=int() | float() as value):
            return abs(value) <= _MAX_EXPONENT
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            return _is_small(operand)
        case ast.BinOp(op=ast.Div(), left=ast.Constant() as left, right=ast.Constant() as right):
            return _is_small(left) and _is_small(right)
    return False


def _is_short_number(answer: str) -> bool:
    """Whether it is no number in powers of ten that would take all memory to write down."""
    return _HUGE.search(answer) is None


def _is_a_number(answer: str) -> bool:
    """Whether it does not say that it is none, which compares as if it were every number."""
    return "nan" not in answer.lower()


SCREENS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "binary_matrix": _is_data,
        "coin_flip": _is_short_number,
        "complex_arithmetic": _is_a_number,
        "countdown": _is_sum,
        "intermediate_integration": _is_formula,
        "n_queens": _is_data,
        "polynomial_multiplication": _is_formula,
        "puzzle24": _is_sum,
        "simple_integration": _is_formula,
        "spiral_matrix": _is_data,
        "string_insertion": _is_data,
    }
)
"""By dataset; verifiers of the others take an answer for nothing but text, JSON or a number."""
