-- The receipt of a hand-over: when the gate of the former Primary delivered last, as it had said. Empty where it has no
-- gate, delivered nothing, or is a stock member.
alter table endpoint_change add column last_delivered_us integer check (last_delivered_us is null or kind = 'HandOver');
