-- How many of the dropped were told in the receipt of a hand-over: each is told once.
alter table destination add column dropped_told integer not null default 0;
