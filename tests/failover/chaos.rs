//! Random faults, one over the other. `bench/chaos` does hundreds.

use std::time::Duration;

use crate::plant::{
    faults::Chaos,
    random::{Random, test_seed},
};

#[test]
fn whatever_goes_wrong_one_over_the_other_no_two_act_and_somebody_does_in_the_end() {
    const T: Duration = Duration::from_millis(500);
    let chaos = Chaos::run(40, 3, T, &mut Random::new(test_seed()));
    chaos.plant.verdict(T).assert_sound();
}
