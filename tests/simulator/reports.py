"""What a report must say."""


def assert_reports(message: str | None, fault: str, kernel: str, *parts: str) -> None:
    """The fault, the kernel, the block and the thread, and whatever else is asked for."""
    assert message is not None, "no report"
    assert message.startswith(f"simulator: {fault}: kernel "), message
    for part in (kernel, "block (", "thread (", *parts):
        assert part in message, message
