-- Secrets that configurations refer to by {{Id}}, and whom each may be sent to.

create table secret (
    -- Another number each time that a value is given.
    given integer not null primary key autoincrement,
    id text not null check (length(id) between 1 and 256),
    -- The Id in lower case: what it is compared by.
    folded text not null unique,
    description text check (length(description) <= 1024),
    expiration_date text check (length(expiration_date) <= 64),
    -- Sealed: readable only with the key file.
    value blob not null,
    -- Whether its recipients are origins that were named with it; else those it was first used for.
    named integer not null check (named in (0, 1)),
    given_us integer not null
) strict;

-- Whom a secret may be sent to. One without recipients is bound to the first configuration that refers to it.
create table secret_recipient (
    secret text not null references secret (folded) on delete cascade,
    -- Origins: scheme, host and port.
    endpoint text not null,
    token_endpoint text,
    certificate_checked integer not null check (certificate_checked in (0, 1))
) strict;
create index secret_recipient_of on secret_recipient (secret);
