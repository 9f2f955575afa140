"""What every door of a server shares: who is signed in, forged requests, rates, headers."""
