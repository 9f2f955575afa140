"""A test over many seeds as one test: some hundred tests of a millisecond cost more to collect and hand out than to
run."""

from collections.abc import Callable, Iterable


def each_seed(seeds: Iterable[int]) -> Callable[[Callable[[int], None]], Callable[[], None]]:
    """Calls a test with each seed; the first that fails is named."""

    def over(test: Callable[[int], None]) -> Callable[[], None]:
        def every() -> None:
            for seed in seeds:
                try:
                    test(seed)
                except BaseException as error:
                    error.add_note(f"seed {seed}")
                    raise

        every.__name__, every.__doc__ = test.__name__, test.__doc__
        return every

    return over
