"""The board's addresses."""

from starlette.routing import Route

from orderack.gateway.board import acts, pages
from orderack.gateway.board.doors import Doors
from orderack.gateway.board.parts import Board
from orderack.gateway.board.web import acted, outside, seen

_ORDER = "{store}/{number:path}"


def routes(board: Board) -> list[Route]:
    """Every page and every act; none of them is in the description of the HTTP interface, which is for programs."""
    doors = Doors(board)
    shown = {
        "/board": pages.show_board,
        "/board/stream": pages.stream,
        "/board/find": pages.no_search,
        f"/board/order/{_ORDER}": pages.show_order,
        f"/board/sheet/{_ORDER}": pages.show_sheet,
    }
    done = {
        "/board/find": pages.search,
        "/board/logout": doors.log_out,
        "/board/claim": acts.claim,
        "/board/channel": acts.channel,
        f"/board/decide/{_ORDER}": acts.decide,
        f"/board/accept/{_ORDER}": acts.accept,
        f"/board/answer/{_ORDER}": acts.answer,
        f"/board/settle/{_ORDER}": acts.settle,
        f"/board/buyers-page/{_ORDER}": acts.buyers_page,
    }
    return [
        Route("/board/assets/{name}", pages.asset),
        Route("/board/login", outside(doors.login)),
        Route("/board/login", outside(doors.log_in), methods=["POST"]),
        Route("/board/oidc/begin", outside(doors.oidc_begin)),
        Route("/board/oidc/back", outside(doors.oidc_back)),
        Route("/board/once/{token}", outside(doors.once)),
        Route("/board/once/{token}", outside(doors.use_once), methods=["POST"]),
        *(Route(path, seen(board, handle)) for path, handle in shown.items()),
        *(Route(path, acted(board, handle), methods=["POST"]) for path, handle in done.items()),
    ]
