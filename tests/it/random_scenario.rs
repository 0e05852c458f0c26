//! Random scenarios: valid, small, and with every part of the format in some of them.
//!
//! A swarm (Groce et al., "Swarm testing", ISSTA 2012): each scenario leaves most features out, so
//! that rare combinations of the others come up. The text is the whole configuration; a seed makes
//! the same text for ever.

use routelab::rng::Rng;
use std::fmt::Write;

/// A random scenario, and what the tests want to know about it.
pub(crate) struct Random {
    pub(crate) seed: u64,
    pub(crate) text: String,
}

/// Random scenarios from 1 on; only one of them, to replay it, if `ROUTELAB_SWARM_SEED` names it.
pub(crate) fn swarm(count: u64) -> impl Iterator<Item = Random> {
    let replay = std::env::var("ROUTELAB_SWARM_SEED").ok();
    let seeds = match replay.map(|seed| seed.parse::<u64>().expect("a seed")) {
        Some(seed) => seed..=seed,
        None => 1..=count,
    };
    seeds.map(|seed| {
        let text = Builder::new(seed).scenario();
        // Shown when the test fails.
        println!("ROUTELAB_SWARM_SEED={seed} replays\n{text}");
        Random { seed, text }
    })
}

const PROVIDERS: [&str; 4] = ["anthropic", "google", "openai", "custom"];
const STRATEGIES: [&str; 9] = [
    "round_robin",
    "weighted_round_robin",
    "least_connections",
    "fastest_response",
    "health_based",
    "adaptive",
    "geographic",
    "random",
    "smart",
];
const FAILURES: [&str; 14] = [
    "internal_error",
    "bad_gateway",
    "unavailable",
    "gateway_timeout",
    "overloaded",
    "connection",
    "rate_limited",
    "unauthorized",
    "payment_required",
    "forbidden",
    "spend_cap",
    "bad_request",
    "model_not_found",
    "too_large",
];

struct Builder {
    rng: Rng,
    models: u32,
    regions: u32,
    /// Providers of the entries of accounts.
    providers: Vec<&'static str>,
    seconds: u32,
}

impl Builder {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::from_state(seed);
        Self {
            models: 1 + rng.below(3),
            regions: rng.below(4),
            providers: vec![],
            seconds: 20 + rng.below(80),
            rng,
        }
    }

    fn scenario(&mut self) -> String {
        let strategies = self.strategies();
        let mut text = format!(
            "question = \"What breaks?\"\nexpectation = \"Nothing.\"\nduration = \"{}s\"\n\
             warmup = \"{}s\"\nreplications = 2\nseed = {}\nlatency_objective = \"{}ms\"\n\
             strategies = [{strategies}]\n[output]\nrequests = true\n",
            self.seconds,
            self.rng.below(10),
            self.rng.below(1_000_000),
            1 + self.rng.below(5_000),
        );
        (0..self.models).for_each(|model| self.model(&mut text, model));
        let entries = 1 + self.rng.below(4);
        (0..entries).for_each(|entry| self.accounts(&mut text, entry));
        self.network(&mut text);
        self.workload(&mut text);
        (0..self.rng.below(4)).for_each(|_| self.fault(&mut text));
        self.routing(&mut text);
        text
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.below(from.len() as u32) as usize]
    }

    /// Rounded, so that the text stays readable.
    fn uniform(&mut self, most: f64) -> f64 {
        (self.rng.uniform() * most * 1e3).round() / 1e3
    }

    fn strategies(&mut self) -> String {
        let mut arms = vec![];
        for strategy in STRATEGIES {
            if self.one_in(3) {
                arms.push(format!("\"{strategy}\""));
            }
        }
        let changes = [
            "max_attempts = 1, breaker = false",
            "max_attempts = 5, policy_seed = 7",
            "breaker = { failures_to_open = 2, open_time = \"3s\", successes_to_close = 1 }",
            "health_scope = \"account_model\", breaker = { failures_to_open = 2 }, \
             cool_down = { base = \"1s\" }",
            "breaker = { open_time = \"2s\", failure_rate = { share = 0.3, least_attempts = 5 }, \
             open_time_growth = { cap = \"9s\", reset_after = \"20s\" }, \
             slow_start = { window = \"15s\" } }",
            "attempt_timeout = \"2s\", quota_aware = true, deadline = \"3s\"",
            "cool_down = { base = \"1s\", cap = \"2s\", account_fault = \"5s\" }",
            "when_none_available = \"wait\", max_waiting = 20, \
             breaker = { open_time = \"3s\" }, cool_down = { base = \"1s\" }",
            "when_none_available = \"least_bad\", cache = { max_entries = 3, ttl = \"5s\" }",
        ];
        let (strategy, change) = (self.pick(&STRATEGIES), self.pick(&changes));
        arms.push(format!(
            "{{ name = \"changed\", strategy = \"{strategy}\", {change} }}"
        ));
        arms.join(", ")
    }

    /// A distribution of time around so many milliseconds.
    fn time(&mut self, ms: u32) -> String {
        let mean = format!("mean = \"{ms}ms\"");
        match self.rng.below(12) {
            0 | 1 => format!("\"{ms}ms\""),
            2 => format!("{{ kind = \"exponential\", {mean} }}"),
            3 => format!("{{ kind = \"lognormal\", median = \"{ms}ms\", sigma = 0.5 }}"),
            4 => format!("{{ kind = \"gamma\", {mean}, cv = 1.5 }}"),
            5 => format!(
                "{{ kind = \"uniform\", low = \"0s\", high = \"{}ms\" }}",
                2 * ms
            ),
            6 => format!("{{ kind = \"weibull\", {mean}, shape = 0.7 }}"),
            7 => format!(
                "{{ kind = \"pareto\", low = \"{ms}ms\", high = \"{}ms\", shape = 1.5 }}",
                30 * ms
            ),
            8 => format!("{{ kind = \"erlang\", {mean}, stages = 3 }}"),
            9 => format!("{{ kind = \"hyperexponential\", {mean}, cv = 2 }}"),
            10 => format!(
                "{{ kind = \"empirical\", interpolation = \"log\", quantiles = [[0, \"1ms\"], \
                 [0.5, \"{ms}ms\"], [1, \"{}ms\"]] }}",
                20 * ms
            ),
            _ => format!(
                "{{ kind = \"mixture\", parts = [{{ weight = 9, kind = \"exponential\", {mean} }}, \
                 {{ weight = 1, kind = \"constant\", value = \"{}ms\" }}] }}",
                20 * ms
            ),
        }
    }

    fn service(&mut self) -> String {
        if self.one_in(3) {
            let ms = 1 + self.rng.below(1_500);
            return format!("{{ total = {} }}", self.time(ms));
        }
        let (first, each) = (1 + self.rng.below(600), 1 + self.rng.below(15));
        format!(
            "{{ first_token = {}, per_output_token = {}, first_token_per_1k_input = \"{}ms\" }}",
            self.time(first),
            self.time(each),
            self.rng.below(40)
        )
    }

    fn model(&mut self, text: &mut String, model: u32) {
        let service = self.service();
        let (input, output) = (self.uniform(5.0), self.uniform(20.0));
        let _ = write!(
            text,
            "[models.m{model}]\nquality = {}\nservice = {service}\n\
             prices = {{ input = \"${input}/Mtok\", output = \"${output}/Mtok\" }}\n",
            1 + self.rng.below(5),
        );
        if self.one_in(4) {
            let _ = writeln!(text, "context_window = {}", 500 + self.rng.below(3_000));
        }
    }

    fn accounts(&mut self, text: &mut String, entry: u32) {
        let provider = self.pick(&PROVIDERS);
        self.providers.push(provider);
        // The first entry serves all, so that every class can be asked for.
        let all: Vec<_> = (0..self.models)
            .map(|model| format!("\"m{model}\""))
            .collect();
        let models = if entry == 0 {
            all.join(", ")
        } else {
            all[self.rng.below(self.models) as usize].clone()
        };
        let _ = write!(
            text,
            "[[accounts]]\nid = \"e{entry}-{{n}}\"\ncount = {}\nprovider = \"{provider}\"\n\
             models = [{models}]\nweight = {}\n",
            1 + self.rng.below(3),
            1 + self.rng.below(5),
        );
        if self.regions > 0 && self.one_in(2) {
            let _ = writeln!(text, "region = \"r{}\"", self.rng.below(self.regions));
        }
        if self.one_in(4) {
            let _ = writeln!(text, "max_in_flight = {}", 1 + self.rng.below(10));
        }
        if self.one_in(8) {
            let availability = self.pick(&["draining", "disabled"]);
            let _ = writeln!(text, "availability = \"{availability}\"");
        }
        if self.one_in(3) {
            let service = self.service();
            let _ = writeln!(text, "service = {service}");
        }
        if self.one_in(2) {
            let capacity = self.capacity();
            let _ = writeln!(text, "capacity = {{ {capacity} }}");
        }
        self.limits(text, entry);
        self.failures(text);
    }

    fn capacity(&mut self) -> String {
        let queue = self.pick(&["\"unlimited\"", "0", "3", "50"]);
        let refusal = self.pick(&["overloaded", "unavailable", "rate_limited"]);
        let fate = self.pick(&["frees", "continues"]);
        let some = 1 + self.rng.below(12);
        let (model, waits) = match self.rng.below(5) {
            0 | 1 => (format!("slots = {some}"), true),
            2 => (format!("processor_sharing = {some}, limit = 30"), true),
            3 => {
                let batching = "batching = { base = \"9ms\", per_request = \"2ms\" }";
                (format!("{batching}, max_batch = {some}"), true)
            }
            _ => (
                format!("load_dependent = {{ threshold = {some} }}, limit = 30"),
                false,
            ),
        };
        let queue = if waits {
            format!("queue = {queue}, ")
        } else {
            String::new()
        };
        format!("{model}, {queue}refusal = \"{refusal}\", abandoned = \"{fate}\"")
    }

    fn limits(&mut self, text: &mut String, entry: u32) {
        if self.one_in(4) {
            let _ = writeln!(text, "organisation = \"owner-of-{entry}\"");
        }
        if self.one_in(3) {
            let (requests, tokens) = (1 + self.rng.below(600), 100 + self.rng.below(400_000));
            let _ = writeln!(
                text,
                "limits = {{ requests_per_minute = {requests}, input_tokens_per_minute = {tokens}, \
                 output_tokens_per_minute = {tokens} }}"
            );
        }
        if self.one_in(4) {
            let (requests, told) = (1 + self.rng.below(300), self.one_in(2));
            let _ = writeln!(
                text,
                "quota = {{ requests_per_minute = {requests}, retry_after = {told} }}"
            );
        }
    }

    fn failures(&mut self, text: &mut String) {
        let count = self.rng.below(4);
        let mut failures = vec![];
        for at in 0..count {
            let most = if self.one_in(4) { 0.3 } else { 0.03 };
            let rate = self.uniform(most);
            failures.push(match (at, self.rng.below(4)) {
                (0, 0) => format!("{{ kind = \"hang\", rate = {rate} }}"),
                (1, 0) => format!("{{ kind = \"broken_stream\", rate = {rate} }}"),
                _ => {
                    let (kind, ms) = (self.pick(&FAILURES), 1 + self.rng.below(500));
                    let time = self.time(ms);
                    format!("{{ kind = \"{kind}\", rate = {rate}, time_to_fail = {time} }}")
                }
            });
        }
        let _ = writeln!(text, "failures = [{}]", failures.join(", "));
    }

    fn network(&mut self, text: &mut String) {
        if self.regions == 0 {
            return;
        }
        let names: Vec<_> = (0..self.regions).map(|r| format!("\"r{r}\"")).collect();
        let _ = writeln!(text, "[regions]\nnames = [{}]", names.join(", "));
        let size = self.regions as usize;
        let mut trips = vec![vec![0; size]; size];
        for (row, column) in (0..size).flat_map(|row| (0..=row).map(move |column| (row, column))) {
            let ms = self.rng.below(250);
            (trips[row][column], trips[column][row]) = (ms, ms);
        }
        let row = |row: &Vec<u32>| {
            let cells: Vec<_> = row.iter().map(|ms| format!("\"{ms}ms\"")).collect();
            format!("[{}]", cells.join(", "))
        };
        let rows: Vec<_> = trips.iter().map(row).collect();
        let _ = writeln!(text, "round_trips = [{}]", rows.join(", "));
        if self.one_in(3) {
            let _ = writeln!(text, "gateway = \"r{}\"", self.rng.below(self.regions));
        }
    }

    fn workload(&mut self, text: &mut String) {
        let classes = 1 + self.rng.below(4);
        let _ = writeln!(text, "[workload]");
        if self.one_in(4) {
            for client in 0..=self.rng.below(3) {
                let class = self.rng.below(classes);
                let arrivals = self.arrivals();
                let _ = writeln!(
                    text,
                    "[[workload.clients]]\nname = \"t{client}\"\nclasses = [\"c{class}\"]\n\
                     {arrivals}"
                );
            }
        } else {
            let arrivals = self.arrivals();
            let _ = writeln!(text, "{arrivals}");
        }
        (0..classes).for_each(|class| self.class(text, class));
    }

    fn arrivals(&mut self) -> String {
        let rate = 1 + self.rng.below(40);
        let kind = self.rng.below(7);
        let stay = 100 + self.rng.below(20_000);
        match kind {
            0 => format!("arrivals = \"poisson\"\nrate = \"{rate}rps\""),
            1 => format!("arrivals = \"constant\"\nrate = \"{rate}rps\""),
            2 => format!(
                "arrivals = \"piecewise\"\nsegments = [{{ start = \"0s\", rate = \"{rate}rps\" }}, \
                 {{ start = \"7s\", from = \"{rate}rps\", to = \"{}rps\" }}, \
                 {{ start = \"15s\", rate = \"3rps\" }}]",
                3 * rate
            ),
            3 => format!(
                "arrivals = \"gamma\"\nrate = \"{rate}rps\"\ncv = {}",
                0.1 + self.uniform(5.0)
            ),
            4 => format!(
                "arrivals = \"mmpp\"\nrate = \"{rate}rps\"\nburst_factor = {}\n\
                 calm_time = \"{stay}ms\"\nburst_time = \"{}ms\"",
                1 + self.rng.below(30),
                1 + stay / 4
            ),
            5 => format!(
                "arrivals = \"diurnal\"\nrate = \"{rate}rps\"\namplitude = {}\n\
                 period = \"{}s\"\npeak = \"3s\"",
                self.uniform(1.0),
                5 + self.rng.below(90)
            ),
            _ => {
                let think = 300 + self.rng.below(3_000);
                let think = self.time(think);
                format!("arrivals = \"closed_loop\"\nusers = {rate}\nthink_time = {think}")
            }
        }
    }

    fn class(&mut self, text: &mut String, class: u32) {
        let _ = write!(
            text,
            "[[workload.classes]]\nname = \"c{class}\"\nweight = {}\nmodel = \"m{}\"\n\
             input_tokens = {{ kind = \"exponential\", mean = {} }}\n\
             output_tokens = {{ kind = \"lognormal\", mean = {}, cv = 1 }}\n\
             cached_input_share = {}\npriority = \"{}\"\nstreaming_share = {}\n",
            1 + self.rng.below(5),
            self.rng.below(self.models),
            1 + self.rng.below(1_500),
            1 + self.rng.below(300),
            self.uniform(1.0),
            self.pick(&["critical", "high", "normal", "low"]),
            self.pick(&["0", "1", "0.5"]),
        );
        if self.one_in(3) {
            let _ = writeln!(text, "max_output_tokens = {}", 1 + self.rng.below(500));
        }
        if self.regions > 0 && self.one_in(2) {
            let _ = writeln!(text, "regions = \"r{}\"", self.rng.below(self.regions));
        }
        if self.one_in(4) {
            let (share, keys) = (self.uniform(1.0), 1 + self.rng.below(1_000));
            let _ = writeln!(text, "repeats = {{ share = {share}, keys = {keys} }}");
        }
        let provider = self.pick(&PROVIDERS);
        let wish = match self.rng.below(8) {
            0 => format!("provider = \"{provider}\", provider_required = true"),
            1 => format!("provider = \"{provider}\", cost_sensitivity = 0.7"),
            2 => "latency_tolerance = \"1s\", minimum_quality = 2".to_owned(),
            _ => return,
        };
        let _ = writeln!(text, "preferences = {{ {wish} }}");
    }

    fn fault(&mut self, text: &mut String) {
        let (provider, seconds) = (self.pick(&self.providers.clone()), self.seconds);
        let whom = match self.rng.below(3) {
            0 => "accounts = \"all\"".to_owned(),
            1 => "accounts = \"e0-{n}\"".to_owned(),
            _ => format!("provider = \"{provider}\""),
        };
        let fails = self.pick(&FAILURES[..6]);
        // Few different times, so that boundaries often fall together with each other.
        let (start, length) = (self.rng.below(seconds / 5) * 5, 5 + 5 * self.rng.below(6));
        let ramp = 5 * self.rng.below(5);
        let what = match self.rng.below(8) {
            0 => format!("kind = \"outage\"\nfailure = \"{fails}\""),
            1 => "kind = \"blackhole\"".to_owned(),
            2 => format!("kind = \"brownout\"\nfactor = {}", 0.5 + self.uniform(10.0)),
            3 => format!("kind = \"errors\"\nrate = {}", self.uniform(1.0)),
            4 => format!("kind = \"fast_errors\"\nfailure = \"{fails}\""),
            5 => "kind = \"flapping\"\nperiod = \"1500ms\"".to_owned(),
            6 => {
                let _ = write!(
                    text,
                    "[[faults]]\nkind = \"outage\"\n{whom}\ncold_start = {{ factor = 2, ramp = \
                     \"5s\" }}\nincidents = {{ mean_gap = \"{seconds}s\", shape = 0.7, \
                     median_duration = \"{length}s\", sigma = 1, together = \"account\" }}\n"
                );
                return;
            }
            _ if text.contains("availability") => "kind = \"blackhole\"".to_owned(),
            _ => {
                let start = start + 5;
                let _ = write!(
                    text,
                    "[[faults]]\nkind = \"account_removed\"\n{whom}\nstart = \"{}s\"\n\
                     duration = \"{length}s\"\n",
                    start.min(seconds - 1)
                );
                return;
            }
        };
        let what = format!("{what}\nramp = \"{ramp}s\"");
        let _ = write!(
            text,
            "[[faults]]\n{what}\n{whom}\nstart = \"{start}s\"\nduration = \"{length}s\"\n"
        );
    }

    fn routing(&mut self, text: &mut String) {
        let deadline = self.pick(&["30s", "30s", "5s", "700ms", "none"]);
        let needed = if deadline == "none" { "4s" } else { "none" };
        let attempt = self.pick(&["10s", "1s", needed]);
        let first_token = self.pick(&["none", "none", "500ms"]);
        let idle = self.pick(&["none", "none", "2s"]);
        let _ = write!(
            text,
            "[routing]\ndeadline = \"{deadline}\"\nattempt_timeout = \"{attempt}\"\n\
             first_token_timeout = \"{first_token}\"\nidle_timeout = \"{idle}\"\n\
             max_attempts = {}\n",
            1 + self.rng.below(4)
        );
        if self.one_in(3) {
            let when = self.pick(&["wait", "wait", "least_bad"]);
            let most = 1 + self.rng.below(60);
            let _ = writeln!(
                text,
                "when_none_available = \"{when}\"\nmax_waiting = {most}"
            );
        }
        if self.one_in(4) {
            let _ = writeln!(text, "cache = true");
        }
        if self.one_in(3) {
            let (failures, probes) = (1 + self.rng.below(5), 1 + self.rng.below(3));
            let open = 1 + self.rng.below(20);
            let _ = writeln!(
                text,
                "[routing.breaker]\nfailures_to_open = {failures}\nopen_time = \"{open}s\"\n\
                 half_open_max_in_flight = {probes}"
            );
        }
        if self.one_in(3) {
            let (share, second) = (self.uniform(1.0), self.rng.below(3));
            let _ = writeln!(
                text,
                "[routing.retry]\nbudget_per_request = {share}\nbudget_per_second = {second}\n\
                 backoff_base = \"{}ms\"",
                1 + self.rng.below(2_000)
            );
        }
    }
}
