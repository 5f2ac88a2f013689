"""The Sentry SDK, switched on for an address that nobody is asked at."""

TITLE = "Sentry SDK"
WHO = "peer"
WHERE = ("alone", "project")


def switch_on() -> None:
    import sentry_sdk

    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", traces_sample_rate=1.0)
