//! The play: what is asked for is done, what follows is waited for, and told.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::{
    DemoError, Plan,
    family::Family,
    receipt,
    screen::Screen,
    sink::{Between, Mark, Sink},
    site::{GROUP, Patience, Site},
    words::{Fault, Word, Words, legend},
};
use crate::{
    clock::{self, Alarm},
    domain::{Mode, Uptime},
};

/// How often the line that follows is written.
const SHOW_EVERY: Duration = Duration::from_millis(500);

/// How long what follows a fault may take beside the FailoverTimeout: a machine may be busy.
const LEEWAY: Duration = Duration::from_secs(60);

struct Stage<'a> {
    plan: &'a Plan,
    site: Site,
    family: &'a mut Family,
    sink: &'a Sink,
    screen: &'a mut Screen,
    shown: Uptime,
}

/// What was known before something happened.
struct Before {
    newest: Option<Value>,
    at_sink: Mark,
}

/// Plays until the words end.
pub(super) async fn play(
    plan: &Plan,
    folder: &Path,
    family: &mut Family,
    sink: &Sink,
    words: &mut Words,
    screen: &mut Screen,
) -> Result<(), DemoError> {
    for line in receipt::introduction(plan) {
        screen.say(&line)?;
    }
    screen.say("")?;
    let site = Site::begin(plan, folder, family, sink.address()).await?;
    let mut stage = Stage { plan, site, family, sink, screen, shown: Uptime::default() };
    stage.introduce(folder, words.are_keys()).await?;
    let mut alarm = Alarm::new()?;
    loop {
        let word = tokio::select! {
            biased;
            word = words.next() => word?,
            waited = alarm.after(SHOW_EVERY), if stage.screen.is_live() => {
                waited?;
                stage.show().await?;
                continue;
            }
        };
        match word {
            None | Some(Word::Quit) => return Ok(()),
            Some(Word::Back) => stage.bring_back().await?,
            Some(Word::Fault(fault)) => stage.strike(fault).await?,
        }
        words.forget_keys();
    }
}

impl Stage<'_> {
    /// Says where everything is, once both collectors hand in and the first samples have arrived: a fault that comes
    /// before B's collector runs would show a loss that no pair in service has.
    async fn introduce(&mut self, folder: &Path, keys: bool) -> Result<(), DemoError> {
        let mut patience = self.patience("the first sample")?;
        while self.sink.totals().samples == 0 {
            patience.again().await?;
        }
        for at in 0..self.site.adapters.len() {
            self.at_work(at).await?;
        }
        let site = &self.site;
        let mut places = vec![format!("  group      {}/#groups/{GROUP}", site.endpoint)];
        for adapter in &site.adapters {
            places.push(format!("  adapter {}  {}/", adapter.name, adapter.url));
        }
        places.push(format!("  logs       {}/*.log", folder.display()));
        for place in places {
            self.screen.say(&place)?;
        }
        let standing_by = receipt::standing_by(self.plan.mode);
        self.say("")?;
        self.say(&format!("A is Primary. B stands by and {standing_by}. Faults hit the Primary."))?;
        if keys && !self.screen.is_live() {
            self.say(&legend())?;
        }
        self.show().await
    }

    fn say(&mut self, line: &str) -> Result<(), DemoError> {
        Ok(self.screen.say(line)?)
    }

    /// Shows how everybody does, where there is a place for it and it is time.
    async fn show(&mut self) -> Result<(), DemoError> {
        let now = clock::now().uptime;
        if !self.screen.is_live() || now.since(self.shown) < SHOW_EVERY {
            return Ok(());
        }
        self.shown = now;
        let (a, b) = (self.site.glance(0).await, self.site.glance(1).await);
        let status = format!("{a}   {b}   {}", receipt::so_far(&self.sink.totals()));
        Ok(self.screen.show(vec![String::new(), status, legend()])?)
    }

    fn patience(&self, what: &'static str) -> Result<Patience, DemoError> {
        Patience::new(what, LEEWAY + 4 * self.plan.timeout.get())
    }

    async fn before(&self) -> Result<Before, DemoError> {
        let newest = self.site.history().await?.into_iter().next();
        Ok(Before { newest, at_sink: self.sink.mark() })
    }

    /// What the endpoint wrote down since, oldest first.
    async fn rows_since(&self, before: &Before) -> Result<Vec<Value>, DemoError> {
        let rows = self.site.history().await?;
        let mut rows: Vec<_> =
            rows.into_iter().take_while(|row| Some(row) != before.newest.as_ref()).collect();
        rows.reverse();
        Ok(rows)
    }

    /// Does it to the Primary, and tells what came of it.
    async fn strike(&mut self, fault: Fault) -> Result<(), DemoError> {
        self.say("")?;
        let Some(at) = self.site.primary().await? else {
            return self.say("Nobody is Primary: bring an adapter back first.");
        };
        let old = self.site.adapters[at].name;
        if let Some(fault) = self.site.adapters[at].down {
            let condition = receipt::condition(fault);
            return self.say(&format!("{old}, the Primary, is {condition} already: bring it back first."));
        }
        let before = self.before().await?;
        self.say(&receipt::struck(old, fault))?;
        self.site.strike(at, fault, self.family).await?;
        let (next, other) = (1 - at, &self.site.adapters[1 - at]);
        let new = other.name;
        if let Some(fault) = other.down {
            let condition = receipt::condition(fault);
            return self
                .say(&format!("  {new} is {condition}: nobody can take over until one is brought back."));
        }
        let rows = self.handed_over(&before).await?;
        // By its policy one that is cut off may act on; then both send.
        let both = fault == Fault::Cut && self.site.diagnostics(at).await?["Role"] == "Primary";
        self.settled((at, next), &before, both).await?;
        self.tell(&rows, &before, (at, next))?;
        if fault == Fault::Cut {
            let shown = self.site.diagnostics(at).await?;
            let told = |member: &str| shown[member].as_str().unwrap_or_default();
            let line = receipt::of_cut(old, told("Role"), &self.site.named(told("Explanation")));
            self.say(&line)?;
        }
        self.show().await
    }

    /// Waits until another adapter acts; gives what the endpoint wrote down.
    async fn handed_over(&mut self, before: &Before) -> Result<Vec<Value>, DemoError> {
        let mut patience = self.patience("a hand-over")?;
        loop {
            let rows = self.rows_since(before).await?;
            if rows.iter().any(|row| row["Kind"] == "HandOver") {
                return Ok(rows);
            }
            self.show().await?;
            patience.again().await?;
        }
    }

    /// Waits until the new Primary sends, and all that it had kept is sent; where `both` act, until the old one has
    /// sent, too.
    async fn settled(
        &mut self,
        (old, new): (usize, usize),
        before: &Before,
        both: bool,
    ) -> Result<(), DemoError> {
        let mut patience = self.patience("the samples of the new Primary")?;
        let sessions = [old, new].map(|at| self.session(at));
        loop {
            let account = self.sink.since(&before.at_sink, &sessions[0], &sessions[1]);
            let sent = account.is_some_and(|account| !both || matches!(account.between, Between::Both(_)));
            if sent && self.site.waiting(new).await? == 0 {
                return Ok(());
            }
            self.show().await?;
            patience.again().await?;
        }
    }

    fn session(&self, at: usize) -> String {
        self.site.adapters[at].session.clone()
    }

    fn tell(&mut self, rows: &[Value], before: &Before, (old, new): (usize, usize)) -> Result<(), DemoError> {
        let account = self.sink.since(&before.at_sink, &self.session(old), &self.session(new));
        let names = [old, new].map(|at| self.site.adapters[at].name);
        let seen = account.map(|account| receipt::seen(&account, names[0], names[1]));
        for line in receipt::receipt(rows, |text| self.site.named(text), seen) {
            self.say(&line)?;
        }
        Ok(())
    }

    /// Brings back whatever is down, and tells what came of it.
    async fn bring_back(&mut self) -> Result<(), DemoError> {
        self.say("")?;
        let down: Vec<_> = (0..2).filter(|at| self.site.adapters[*at].down.is_some()).collect();
        if down.is_empty() {
            return self.say("Nothing is down.");
        }
        let before = self.before().await?;
        for at in down {
            let began = clock::now().uptime;
            self.site.mend(at, self.family)?;
            let mut patience = self.patience("the return of an adapter")?;
            while !self.site.is_heard(at).await? {
                self.show().await?;
                patience.again().await?;
            }
            let heard = receipt::millis(clock::now().uptime.since(began));
            self.at_work(at).await?;
            let works = receipt::millis(clock::now().uptime.since(began));
            let name = self.site.adapters[at].name;
            self.say(&format!(
                "{name} is back: heard by the endpoint after {heard}, at work after {works}."
            ))?;
        }
        let mut patience = self.patience("a Primary that is there")?;
        let primary = loop {
            if let Some(at) = self.site.primary().await?
                && self.site.adapters[at].down.is_none()
                && self.site.diagnostics(at).await?["Role"] == "Primary"
            {
                break at;
            }
            self.show().await?;
            patience.again().await?;
        };
        let rows = self.rows_since(&before).await?;
        for line in receipt::receipt(&rows, |text| self.site.named(text), None) {
            self.say(&line)?;
        }
        let (name, other) = (self.site.adapters[primary].name, self.site.adapters[1 - primary].name);
        self.say(&format!("  {name} is Primary, {other} stands by."))?;
        self.say(&receipt::altogether(&self.sink.totals()))?;
        self.show().await
    }

    /// Waits until an adapter's collector hands in samples, if it is to run now.
    async fn at_work(&mut self, at: usize) -> Result<(), DemoError> {
        let mut patience = self.patience("the collector of an adapter")?;
        let so_far = self.site.handed_in(at).await?;
        while self.site.handed_in(at).await? == so_far {
            let stands_by = self.site.diagnostics(at).await?["Role"] != "Primary";
            if self.plan.mode == Mode::Cold && stands_by {
                return Ok(());
            }
            self.show().await?;
            patience.again().await?;
        }
        Ok(())
    }
}
