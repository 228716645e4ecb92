-- The destinations that the collector sends to through the egress gate. What waits for them is in a database of its
-- own, egress.db, beside this one.
create table egress_data_endpoint (
    id text not null primary key check (length(id) between 1 and 256),
    -- The order in which they are shown: that in which they were added.
    position integer not null unique,
    endpoint text not null,
    user_name text,
    -- Sealed: readable only with the key file.
    password blob,
    client_id text,
    client_secret blob,
    token_endpoint text,
    validate_endpoint_certificate integer not null check (validate_endpoint_certificate in (0, 1)),
    -- A JSON array of methods.
    read_only_methods text not null check (json_valid(read_only_methods)),
    max_buffer_size_mb integer not null check (max_buffer_size_mb between 1 and 16777216),
    max_request_size_mb integer not null check (max_request_size_mb between 1 and 256),
    buffered_answer integer not null check (buffered_answer between 200 and 299),
    standby_answer text not null check (standby_answer in ('Refuse', 'Swallow')),
    -- Rises with every change of it.
    revision integer not null check (revision > 0),
    check ((user_name is null) = (password is null)),
    check ((client_id is null) = (client_secret is null)),
    check (user_name is null or client_id is null)
) strict;

-- Which facet a change of the configuration was about.
alter table configuration_history add column facet text not null default 'ClientFailover'
    check (facet in ('ClientFailover', 'DataEndpoints'));
