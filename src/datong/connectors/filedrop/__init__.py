"""A counterparty that works with files: work orders go out to `outbox/`, reports come in through `inbox/`."""
