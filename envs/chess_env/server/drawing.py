"""The board at `/web`. Pure: a position in, HTML out."""

import chess

__all__ = ["draw"]

_STYLE = """<style>
  body { font: 15px system-ui, sans-serif; margin: 8px 12px }
  table { border-collapse: collapse; border: 2px solid #555 }
  td { width: 44px; height: 44px; padding: 0; text-align: center; font-size: 34px; line-height: 44px; color: #111 }
  .light { background: #f0d9b5 } .dark { background: #b58863 }
  .moved { background: #cdd26a } .check { background: #e5484d }
  p { margin: .6em 0 }
</style>"""


def draw(board: chess.Board, colour: chess.Color, said: str) -> str:
    """Draw the board as the side of that colour sees it, the last move marked, and a sentence below."""
    ranks = range(7, -1, -1) if colour == chess.WHITE else range(8)
    files = range(8) if colour == chess.WHITE else range(7, -1, -1)
    rows = ("".join(_square(board, chess.square(file, rank)) for file in files) for rank in ranks)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"{_STYLE}<table aria-label='chess board'>{body}</table><p>{said}</p>"


def _square(board: chess.Board, square: chess.Square) -> str:
    piece = board.piece_at(square)
    # The filled signs for both sides, as the others are hard to tell apart; the variation selector keeps them text.
    sign = f"{chess.UNICODE_PIECE_SYMBOLS[piece.symbol().lower()]}\ufe0e" if piece else ""
    style = " style='color: #fff; text-shadow: 0 0 2px #000, 0 0 2px #000'" if piece and piece.color else ""
    return f"<td class='{_look(board, square)}' title='{chess.square_name(square)}'{style}>{sign}</td>"


def _look(board: chess.Board, square: chess.Square) -> str:
    if board.is_check() and square == board.king(board.turn):
        return "check"
    if board.move_stack and square in (board.peek().from_square, board.peek().to_square):
        return "moved"
    return "light" if chess.BB_SQUARES[square] & chess.BB_LIGHT_SQUARES else "dark"
