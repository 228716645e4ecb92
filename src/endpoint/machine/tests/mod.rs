//! Named situations, each with the rule it proves; and a plant in which everything goes wrong.

mod away;
mod calm;
mod coverage;
mod leases;
mod leaving;
mod nudges;
mod plant;
mod restarts;
mod scores;
mod shown;
mod simulation;
mod stops;
mod told;
