//! A plant in which messages are lost, late, doubled and reordered, adapters and endpoints die, the
//! store refuses and is set back: no two adapters ever hold permission to act.

use super::{super::*, plant::*};

/// A small generator of chances; the seed is the bug report.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

enum Message {
    Question(crate::domain::Heartbeat),
    Answer(HeartbeatAnswer),
}

struct Letter {
    arrives: u64,
    name: &'static str,
    run: u32,
    sequence: u64,
    sent: u64,
    message: Message,
}

/// What an adapter may do, by its own clock: act until then.
#[derive(Default, Clone, Copy)]
struct Lease {
    until: u64,
    /// R5: only answers to questions from this sequence on.
    act_from: u64,
    last_used: u64,
}

const NAMES: [&str; 3] = ["A", "B", "C"];

struct World {
    plant: Plant,
    dice: Dice,
    letters: Vec<Letter>,
    leases: BTreeMap<&'static str, Lease>,
    backups: Vec<Option<SeatRecord>>,
    now: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let plant = Plant::new().native("A", 100).native("B", 100).native("C", 100);
        let leases =
            NAMES.into_iter().map(|name| (name, Lease { act_from: 1, ..Lease::default() })).collect();
        Self {
            plant,
            dice: Dice(seed * 2_654_435_761 + 1),
            letters: Vec::new(),
            leases,
            backups: Vec::new(),
            now: 0,
        }
    }

    fn send(
        &mut self,
        name: &'static str,
        run: u32,
        sequence: u64,
        sent: u64,
        message: impl Fn() -> Message,
    ) {
        let copies = match self.dice.roll(20) {
            0..=2 => 0,
            3 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let delay = if self.dice.one_in(10) { self.dice.roll(2 * T) } else { self.dice.roll(200) };
            self.letters.push(Letter {
                arrives: self.now + delay,
                name,
                run,
                sequence,
                sent,
                message: message(),
            });
        }
    }

    fn beat(&mut self, name: &'static str) {
        let heartbeat = self.plant.compose(name);
        let (run, sequence) = (self.plant.adapters[name].run, self.plant.adapters[name].sequence);
        self.send(name, run, sequence, self.now, || Message::Question(heartbeat.clone()));
    }

    fn deliver(&mut self, letter: Letter) {
        match letter.message {
            Message::Question(heartbeat) => {
                self.plant.refuses = self.dice.one_in(20);
                if let Ok(Some(answer)) = self.plant.ask(letter.name, &heartbeat) {
                    let (run, sequence, sent) = (letter.run, letter.sequence, letter.sent);
                    self.send(letter.name, run, sequence, sent, || Message::Answer(answer.clone()));
                }
            }
            Message::Answer(answer) => {
                self.follow(letter.name, letter.run, letter.sequence, letter.sent, &answer)
            }
        }
    }

    fn follow(&mut self, name: &'static str, run: u32, sequence: u64, sent: u64, answer: &HeartbeatAnswer) {
        let lease = self.leases.get_mut(name).unwrap();
        if run != self.plant.adapters[name].run || sequence <= lease.last_used {
            return;
        }
        lease.last_used = sequence;
        let until = sent + T * 9 / 10;
        let was_acting = self.plant.adapters[name].acting;
        let adapter = self.plant.adapter(name);
        adapter.answered = adapter.answered.max(sequence);
        adapter.epoch = adapter.epoch.max(answer.epoch);
        if answer.role == Primary && sequence >= lease.act_from && self.now < until {
            (adapter.acting, lease.until) = (true, until);
        } else if answer.role == Secondary && was_acting {
            (adapter.acting, lease.act_from) = (false, adapter.sequence + 1);
        }
    }

    fn misfortune(&mut self) {
        let name = NAMES[usize::try_from(self.dice.roll(3)).unwrap()];
        match self.dice.roll(60) {
            0 => {
                let same_machine = self.dice.one_in(2);
                self.plant.restart_adapter(name, same_machine);
                self.leases.insert(name, Lease { act_from: 1, ..Lease::default() });
            }
            1 => {
                // The high-water mark proves nothing while a group still waits.
                let exact = !self.plant.group.is_renewing();
                self.plant.restart_endpoint(exact);
            }
            2 => {
                // An older database is put in place while the endpoint is down.
                if let Some(backup) = self.backups.pop() {
                    self.plant.disk = backup;
                }
                self.plant.restart_endpoint(false);
            }
            3 => {
                self.plant.group.unregister(self.plant.now, &id(name), Remover::Itself);
                self.plant.register(name);
            }
            4 => self.plant.force(name, Some(T)),
            5 => self.backups.push(self.plant.disk.clone()),
            6..=15 => {
                let score = [0, 1, 50, 100][usize::try_from(self.dice.roll(4)).unwrap()];
                self.plant.adapter(name).score = score;
            }
            _ => {}
        }
    }

    fn step(&mut self, millis: u64) {
        self.now = millis;
        self.plant.at(millis);
        for name in NAMES {
            let lease = self.leases.get_mut(name).unwrap();
            let adapter = self.plant.adapters.get_mut(name).unwrap();
            if adapter.acting && millis >= lease.until {
                (adapter.acting, lease.act_from) = (false, adapter.sequence + 1);
            }
        }
        while let Some(index) = self.letters.iter().position(|letter| letter.arrives <= millis) {
            let letter = self.letters.swap_remove(index);
            self.deliver(letter);
        }
    }

    fn acting(&self) -> Vec<(&'static str, u32)> {
        let acting = self.plant.adapters.iter().filter(|(_, adapter)| adapter.acting);
        acting.map(|(name, adapter)| (*name, adapter.run)).collect()
    }
}

#[test]
fn whatever_goes_wrong_no_two_act_and_once_all_is_well_one_does() {
    for seed in 1..=200 {
        let mut world = World::new(seed);
        for millis in (0..40 * T).step_by(50) {
            world.step(millis);
            assert!(world.acting().len() <= 1, "seed {seed} at {millis}: {:?}", world.acting());
            if millis % (T / 4) == 0 {
                for name in NAMES {
                    world.beat(name);
                }
            }
            if millis % 500 == 0 {
                world.misfortune();
            }
        }
        // All is well again: within some T one of them acts.
        world.letters.clear();
        world.plant.refuses = false;
        for (name, adapter) in &mut world.plant.adapters {
            adapter.score = 100;
            adapter.acting = false;
            world.leases.get_mut(name).unwrap().act_from = adapter.sequence + 1;
        }
        for millis in (40 * T..46 * T).step_by(2_500) {
            world.step(millis);
            for name in NAMES {
                let heartbeat = world.plant.compose(name);
                if let Ok(Some(answer)) = world.plant.ask(name, &heartbeat) {
                    let (run, sequence) =
                        (world.plant.adapters[name].run, world.plant.adapters[name].sequence);
                    world.follow(name, run, sequence, millis, &answer);
                }
            }
        }
        assert_eq!(world.acting().len(), 1, "seed {seed}");
    }
}
