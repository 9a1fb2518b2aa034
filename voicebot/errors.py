"""The one ancestor of every error that a user, a tester or an operator can cause."""


class VoicebotError(Exception):
    """Something is wrong that a person can mend; `str()` is one sentence that says what and how.

    Each room defines its own subclasses. The command line prints the sentence to stderr and exits with
    status 1; HTTP answers with it as `detail`. It never holds an unmasked customer's number.
    """
