"""How long sessions, links and tokens hold, how often somebody may be wrong, and how long a password is."""

from datetime import timedelta

# After so many wrong passwords or codes in a row an account is locked for a while.
MOST_FAILURES, LOCKED = 5, timedelta(minutes=15)
# A session ends so long after it was last used, and at the latest so long after it began.
IDLE, LONGEST = timedelta(hours=8), timedelta(days=30)
# So long a link of an invitation, a link to a new password, and a token hold.
INVITED, RESET, TOKEN = timedelta(days=7), timedelta(hours=24), timedelta(days=365)
# Letters of a password.
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 256
