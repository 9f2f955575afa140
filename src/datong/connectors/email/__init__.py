"""A counterparty that works by e-mail: each sheet goes out as a mail, and comes back attached to a reply."""
