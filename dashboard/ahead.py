"""Work of a page that begins before its turn: one part waits for the store, another is made."""

import concurrent.futures
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")
_POOL = concurrent.futures.ThreadPoolExecutor(4, thread_name_prefix="ahead")


def begin(make: Callable[[], Made]) -> Callable[[], Made]:
    """Start to make something that draws nothing; what is returned gives it when its turn comes.

    A live section asks again every two seconds: from its second turn on it is made anew.

    Raises, when its turn comes, what making it raised.
    """
    begun = [_POOL.submit(make)]

    def made() -> Made:
        return begun.pop().result() if begun else make()

    return made
