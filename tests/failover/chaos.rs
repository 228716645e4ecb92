//! Random faults, one over the other. `bench/chaos` does hundreds.

use std::time::Duration;

use crate::plant::{
    faults::Chaos,
    random::{Random, test_seed},
};

#[test]
fn whatever_goes_wrong_one_over_the_other_no_two_act_and_once_all_is_well_somebody_does_soon_and_without_a_gap()
 {
    const T: Duration = Duration::from_millis(500);
    let chaos = Chaos::run(40, 3, T, &mut Random::new(test_seed()));
    chaos.plant.assert_sound();
    assert_eq!(chaos.faults_in_calm(), [""; 0], "{}", chaos.plant.story());
}
