//! Systems of queueing theory as scenarios: the text that a user could have written.
//!
//! Resilience is off (no deadline, breaker or retry), so that nothing but arrivals, dispatch,
//! waiting and service is left. The mean service time is 1 s, so that times in seconds are times in
//! the unit of the theory.

/// A pool of equal accounts.
#[derive(Clone, Debug)]
pub(super) struct System {
    /// How many.
    pub(super) accounts: u32,
    /// Of each.
    pub(super) capacity: String,
    /// Distribution of the service time, as TOML.
    pub(super) service: String,
    /// The arm: a strategy's name, or a table.
    pub(super) strategy: String,
    pub(super) arrivals: Arrivals,
    /// Relaxation time in seconds: the empty start is forgotten like exp(-t / relaxation).
    pub(super) relaxation: f64,
    /// Further keys of the accounts.
    pub(super) account_keys: String,
    /// Further keys of the request class.
    pub(super) class_keys: String,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrivals {
    /// Independent requests, so many per second.
    Poisson(f64),
    /// At equal distances.
    Constant(f64),
    /// So many users, who think so long in the mean, with this distribution of the time.
    Users(u32, f64, &'static str),
}

/// Services with a mean of 1 s, by name.
pub(super) const EXPONENTIAL: Law = Law {
    name: "exponential",
    toml: r#"{ kind = "exponential", mean = "1s" }"#,
};
pub(super) const CONSTANT: Law = Law {
    name: "constant",
    toml: r#""1s""#,
};
pub(super) const GAMMA_2: Law = Law {
    name: "gamma, scv 2",
    toml: r#"{ kind = "gamma", mean = "1s", cv = 1.4142135623730951 }"#,
};
pub(super) const GAMMA_4: Law = Law {
    name: "gamma, scv 4",
    toml: r#"{ kind = "gamma", mean = "1s", cv = 2 }"#,
};
pub(super) const HYPER_2: Law = Law {
    name: "hyperexponential, scv 2",
    toml: r#"{ kind = "hyperexponential", mean = "1s", cv = 1.4142135623730951 }"#,
};
pub(super) const HYPER_4: Law = Law {
    name: "hyperexponential, scv 4",
    toml: r#"{ kind = "hyperexponential", mean = "1s", cv = 2 }"#,
};
pub(super) const UNIFORM: Law = Law {
    name: "uniform",
    toml: r#"{ kind = "uniform", low = "0s", high = "2s" }"#,
};

/// A distribution of the service time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Law {
    pub(super) name: &'static str,
    pub(super) toml: &'static str,
}

impl Default for System {
    /// One exponential server.
    fn default() -> Self {
        Self {
            accounts: 1,
            capacity: "{ slots = 1 }".to_owned(),
            service: EXPONENTIAL.toml.to_owned(),
            strategy: r#""round_robin""#.to_owned(),
            arrivals: Arrivals::Poisson(0.5),
            relaxation: 10.0,
            account_keys: String::new(),
            class_keys: String::new(),
        }
    }
}

/// Relaxation time of M/M/1 in services; it is shorter for all other systems here with exponential
/// services (J. W. Cohen, "The Single Server Queue", 1982).
pub(super) fn relaxation(load: f64) -> f64 {
    1.0 / (1.0 - load.sqrt()).powi(2)
}

/// Warm-up in relaxation times: e^-10 of the empty start's bias is left at its end, and that is
/// then spread over the whole measured time.
pub const WARMUP: f64 = 10.0;

impl Arrivals {
    /// Requests per second, about.
    fn rate(self) -> f64 {
        match self {
            Self::Poisson(rate) | Self::Constant(rate) => rate,
            Self::Users(users, think, _) => f64::from(users) / (think + 1.0),
        }
    }

    fn toml(self) -> String {
        match self {
            Self::Poisson(rate) => format!("arrivals = \"poisson\"\nrate = \"{rate}rps\""),
            Self::Constant(rate) => format!("arrivals = \"constant\"\nrate = \"{rate}rps\""),
            Self::Users(users, _, think) => {
                format!("arrivals = \"closed_loop\"\nusers = {users}\nthink_time = {think}")
            }
        }
    }
}

impl System {
    /// Warm-up and length in seconds for about so many measured requests.
    pub(super) fn times(&self, requests: u64) -> (f64, f64) {
        let warmup = (WARMUP * self.relaxation).ceil();
        let measured = (requests as f64 / self.arrivals.rate()).ceil();
        (warmup, warmup + measured.max(1.0))
    }

    /// The scenario, for about so many measured requests in each replication.
    pub(super) fn text(&self, seed: u32, replications: u32, requests: u64) -> String {
        let (warmup, duration) = self.times(requests);
        format!(
            r#"question = "Does the simulator agree with queueing theory?"
expectation = "Yes."
duration = "{duration}s"
warmup = "{warmup}s"
seed = {seed}
replications = {replications}
strategies = [{strategy}]

[models.m]
service = {{ total = {service} }}

[[accounts]]
id = "a-{{n}}"
count = {accounts}
provider = "custom"
models = ["m"]
max_in_flight = 4294967295
capacity = {capacity}
{account_keys}
[workload]
{arrivals}

[[workload.classes]]
name = "job"
model = "m"
input_tokens = 1
output_tokens = 1
{class_keys}
[routing]
deadline = "none"
breaker = false
max_attempts = 1
"#,
            strategy = self.strategy,
            service = self.service,
            accounts = self.accounts,
            capacity = self.capacity,
            account_keys = self.account_keys,
            arrivals = self.arrivals.toml(),
            class_keys = self.class_keys,
        )
    }
}
