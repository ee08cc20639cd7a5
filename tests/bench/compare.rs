//! One comparison: the same work done by ours and by others in turn, several rounds, and the ratios of each round.

use std::fmt::Write;

/// Rounds of a comparison where it says nothing else: fewer say little, more take long.
pub const ROUNDS: usize = 5;

/// What a larger number means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Rates: the larger the better.
    More,
    /// Times and sizes: the smaller the better.
    Less,
}

/// What is compared, and against what goal.
pub struct Comparison {
    title: String,
    unit: &'static str,
    better: Better,
    goal: f64,
    contestants: Vec<Contestant>,
}

struct Contestant {
    name: String,
    measured: Vec<f64>,
}

/// One way of doing the work: its name, and a closure that does it once and returns the figure.
pub struct Trial<'a> {
    name: String,
    once: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Trial<'a> {
    /// A way of doing the work.
    pub fn new(name: impl Into<String>, once: impl FnMut() -> f64 + 'a) -> Trial<'a> {
        Trial { name: name.into(), once: Box::new(once) }
    }
}

/// One way of doing work that gives several figures at once.
pub struct ManyTrial<'a> {
    name: String,
    once: Box<dyn FnMut() -> Vec<f64> + 'a>,
}

impl<'a> ManyTrial<'a> {
    /// A way of doing the work; its figures are in the order of the tables.
    pub fn new(name: impl Into<String>, once: impl FnMut() -> Vec<f64> + 'a) -> ManyTrial<'a> {
        ManyTrial { name: name.into(), once: Box::new(once) }
    }
}

/// What one table is about.
pub struct Table {
    /// Its heading.
    pub title: String,
    /// The unit of its figures.
    pub unit: &'static str,
    /// What a larger figure means.
    pub better: Better,
    /// The ratio that ours should reach: ours divided by the peer, at least with [`Better::More`], at most with
    /// [`Better::Less`].
    pub goal: f64,
}

impl Comparison {
    /// Does the work `rounds` times with each trial in turn; the first trial is ours.
    ///
    /// `goal` is that of [`Table`]. Each round begins with another trial, so that none always runs on a warm machine.
    ///
    /// # Panics
    /// Without trials, or when a trial's work fails: a figure of work that was not done says nothing.
    pub fn run(
        title: &str,
        unit: &'static str,
        better: Better,
        goal: f64,
        rounds: usize,
        trials: Vec<Trial>,
    ) -> Comparison {
        let table = Table { title: title.to_owned(), unit, better, goal };
        let one_figure = |Trial { name, mut once }| ManyTrial::new(name, move || vec![once()]);
        let trials = trials.into_iter().map(one_figure).collect();
        Comparison::run_many(vec![table], rounds, trials).pop().expect("a comparison for each table")
    }

    /// The same for work that gives a figure for each of several tables.
    ///
    /// # Panics
    /// As [`run`](Comparison::run).
    pub fn run_many(tables: Vec<Table>, rounds: usize, mut trials: Vec<ManyTrial>) -> Vec<Comparison> {
        assert!(!trials.is_empty() && rounds > 0, "nothing to measure");
        let contestant = |trial: &ManyTrial| Contestant { name: trial.name.clone(), measured: Vec::new() };
        let comparison = |Table { title, unit, better, goal }| {
            let contestants = trials.iter().map(contestant).collect();
            Comparison { title, unit, better, goal, contestants }
        };
        let mut comparisons: Vec<Comparison> = tables.into_iter().map(comparison).collect();
        for round in 0..rounds {
            for turn in 0..trials.len() {
                let next = (round + turn) % trials.len();
                let figures = (trials[next].once)();
                assert_eq!(figures.len(), comparisons.len(), "a figure for each table");
                for (comparison, figure) in comparisons.iter_mut().zip(figures) {
                    eprintln!("  {}: {}: {}", comparison.title, trials[next].name, shown(figure));
                    comparison.contestants[next].measured.push(figure);
                }
            }
        }
        comparisons
    }

    /// The table: a line for each contestant with its figures, and the ratios of ours to it.
    pub fn table(&self) -> String {
        let mut text = format!("### {}\n\n", self.title);
        let _ = writeln!(
            text,
            "| program | {} (min / median / max) | ours : it (min / median / max) |",
            self.unit
        );
        text.push_str("|---|---|---|\n");
        for (place, contestant) in self.contestants.iter().enumerate() {
            let ratios = if place == 0 { String::from("1") } else { spread(&self.ratios(contestant)) };
            let _ = writeln!(text, "| {} | {} | {ratios} |", contestant.name, spread(&contestant.measured));
        }
        let _ = writeln!(text, "\nGoal: {}. {}", self.goal_in_words(), self.verdict());
        text
    }

    fn ratios(&self, peer: &Contestant) -> Vec<f64> {
        let ours = &self.contestants[0].measured;
        ours.iter().zip(&peer.measured).map(|(ours, theirs)| ours / theirs).collect()
    }

    fn goal_in_words(&self) -> String {
        match self.better {
            Better::More => format!("at least {} × the best of the others", self.goal),
            Better::Less => format!("at most {} × the best of the others", self.goal),
        }
    }

    /// Whether the goal holds, by the median against the peer that is hardest to match.
    fn verdict(&self) -> String {
        let medians = self.contestants.iter().skip(1).map(|peer| median(&self.ratios(peer)));
        let hardest = match self.better {
            Better::More => medians.min_by(f64::total_cmp),
            Better::Less => medians.max_by(f64::total_cmp),
        };
        let Some(ratio) = hardest else { return String::from("No other program was there to compare with.") };
        let met = match self.better {
            Better::More => ratio >= self.goal,
            Better::Less => ratio <= self.goal,
        };
        format!("Median {}: {}.", shown(ratio), if met { "met" } else { "NOT met" })
    }
}

fn spread(figures: &[f64]) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} / {} / {}", shown(least), shown(median(figures)), shown(most))
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// Three significant digits, and no fraction from a thousand on.
fn shown(figure: f64) -> String {
    let decimals = match figure.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 4,
    };
    format!("{figure:.decimals$}")
}
