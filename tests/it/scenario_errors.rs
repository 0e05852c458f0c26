//! Scenario files that are wrong: each with the whole message that its author sees.

mod broken_files;

use proptest::prelude::*;
use routelab::experiment::scenario::{self, Diagnostics, Overrides};
use routelab::experiment::sweep::{Axis, Grid};
use std::path::Path;

/// A small scenario without findings; the broken ones below differ from it in one place or few.
const GOOD: &str = r#"question = "Which strategy is best?"
expectation = "None."
duration = "10min"
strategies = ["round_robin", "least_connections", "smart"]

[models.claude-sonnet]
prices = { input = "$3/Mtok", output = "$15/Mtok" }
service = { first_token = "400ms", per_output_token = "20ms" }

[regions]
names = ["us-east", "eu-west"]
round_trips = [["2ms", "80ms"], ["80ms", "2ms"]]

[templates.claude]
provider = "anthropic"
models = ["claude-sonnet"]

[[accounts]]
id = "claude-{n}"
template = "claude"
region = "us-east"
count = 3

[workload]
arrivals = "poisson"
rate = "40rps"

[[workload.classes]]
name = "chat"
model = "claude-sonnet"
input_tokens = { kind = "lognormal", median = 1000, sigma = 0.8 }
output_tokens = 200
"#;

/// The good scenario with one text replaced.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

/// The good scenario with a text at its end.
fn plus(text: &str) -> String {
    format!("{GOOD}\n{text}")
}

/// The good scenario with a trace in place of its rate and its tokens.
fn traced(keys: &str) -> String {
    let (before, _) = GOOD.split_once("input_tokens").unwrap();
    before.replace(
        "\"poisson\"\nrate = \"40rps\"",
        &format!("\"trace\"\nformat = \"azure\"\n{keys}"),
    )
}

/// The good scenario with other keys of arrivals.
fn arriving(keys: &str) -> String {
    with("arrivals = \"poisson\"\nrate = \"40rps\"", keys)
}

/// The message for a scenario that must be refused.
fn refused(text: &str, overrides: &Overrides) -> String {
    match scenario::parse("broken.toml", text, Path::new("scenarios"), overrides) {
        Ok(loaded) => panic!("accepted, with {}", loaded.warnings),
        Err(found) => {
            assert!(!found.is_empty());
            found.render(false)
        }
    }
}

fn set(arguments: &[&str]) -> Overrides {
    Overrides {
        set: arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect(),
        ..Overrides::default()
    }
}

#[test]
fn the_good_one_is_good() {
    let none = Overrides::default();
    let loaded = scenario::parse("good.toml", GOOD, Path::new(""), &none);
    let loaded = loaded.unwrap_or_else(|found| panic!("{found}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
}

/// A test per broken scenario: name, its text, and arguments of `--set`.
macro_rules! broken {
    ($($name:ident: $text:expr $(, $set:literal)*;)+) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(refused(&$text, &set(&[$($set),*])));
        })+
    };
}

broken! {
    three_typos: GOOD
        .replace("expectation", "expectatoin")
        .replace("template = \"claude\"", "template = \"cluade\"")
        .replace("least_connections", "least_conections");
    gallery_charts: plus("[gallery]\ncharts = [\"timelin\", \"breakers\"]\nsweeps = []\n");
    gallery_one_chart: plus("[gallery]\ncharts = [\"timeline\"]\nsweep = \"seed=1,2\"\n");
    gallery_sweeps: plus("[gallery]\nsweep = [\"workload.rate=1rps\", \"seed=1,,2\"]\n");
    gallery_sweep_twice: plus("[gallery]\nsweep = [\"seed=1,2\", \"seed=3\"]\n");
    throughput_unknown_key: plus("[throughput]\nclaim = \"1000rps\"\nrates = [\"200rps\"]\n");
    throughput_rates_fall: plus("[throughput]\nclaimed = \"1rps\"\nrates = [\"2rps\", \"1rps\"]\n");
    throughput_no_rates: plus("[throughput]\nclaimed = \"0rps\"\nrates = []\nround = \"1h\"\n");
    empty_file: "# nothing but a comment\n";
    missing_keys: "seed = 1\n";
    missing_quotes: with("\"40rps\"", "40rps");
    unclosed_string: with("\"10min\"", "\"10min");
    unclosed_table: with("[workload]", "[workload");
    duplicate_key: with("count = 3", "count = 3\ncount = 4");
    syntax_error_and_typo: GOOD.replace("\"40rps\"", "40rps").replace("region =", "regoin =");
    deep_nesting: format!("a = {}", "[".repeat(10_000));
    duration_without_unit: with("\"10min\"", "600");
    duration_with_unknown_unit: with("\"10min\"", "\"10 minutes\"");
    rate_zero: with("\"40rps\"", "\"0rps\"");
    rate_absurd: with("\"40rps\"", "\"5000000rps\"");
    price_without_dollar: with("\"$3/Mtok\"", "\"3/Mtok\"");
    wrong_types: GOOD.replace("count = 3", "count = \"three\"").replace("200\n", "[200]\n");
    numbers_out_of_range: format!(
        "seed = -1\nreplications = 0\npolicy_seed = 1.5\n{}",
        plus("weight = -2\nstreaming_share = 1.5\ncached_input_share = -0.1")
    );
    warmup_eats_everything: format!("warmup = \"10min\"\n{GOOD}");
    unknown_names: GOOD
        .replace("region = \"us-east\"", "region = \"us-eats\"")
        .replace("model = \"claude-sonnet\"", "model = \"claude-sonet\"")
        .replace("\"anthropic\"", "\"antropic\"");
    unknown_model_of_template: with("models = [\"claude-sonnet\"]", "models = [\"gemini\"]");
    unknown_baseline: format!("baseline = \"random\"\n{GOOD}");
    strategies_twice: with("\"least_connections\"", "\"round_robin\"");
    arm_overrides: with(
        "\"smart\"",
        "{ name = \"a/b\", strategy = \"smart\", breaker = { open_tiem = \"5s\" }, \
         max_attempts = 0 }"
    );
    smart_to_smart: plus("[routing.smart]\nhigh = \"smart\"\nlow = \"round-robin\"");
    breaker_settings: plus("[routing]\n\
        breaker = { half_open_max_in_flight = 0, open_time = \"none\" }");
    breaker_options: plus("[routing.breaker]\n\
        failure_rate = { share = 0, windw = \"1s\", least_attempts = 0 }\nslow_start = \"30s\"\n\
        open_time_growth = { factor = 1, cap = \"0s\" }");
    open_time_above_its_cap: plus("[routing.breaker]\nopen_time = \"10min\"\n\
        open_time_growth = true");
    breaker_option_in_an_arm: with(
        "\"smart\"",
        "{ name = \"grows\", strategy = \"smart\", breaker = { open_time = \"1min\", \
         open_time_growth = { cap = \"30s\" }, slow_start = { floor = 0.5 } } }"
    );
    unknown_health_scope: plus("[routing]\nhealth_scope = \"model\"");
    health_weights: plus("[routing.health]\nsuccess = 0.7");
    cache_settings: plus("[routing]\nmax_waiting = 0\nwhen_none_available = \"queue\"\n\
        [routing.cache]\nmax_entries = 0\nmax_output_tokens = \"all\"\nttl = \"none\"\nsize = 3");
    cache_of_another_kind: plus("[routing]\ncache = \"on\"\nwhen_none_available = 3");
    retry_settings: plus("[routing.retry]\nmax_attempts = 2\nbackoff_base = \"10s\"");
    too_many_accounts: with("count = 3", "count = 70000\n[[accounts]]\ntemplate = \"claude\"\n\
        id = \"more-{n}\"\ncount = 70000");
    count_without_number: with("claude-{n}", "claude");
    duplicate_ids: plus("[[accounts]]\nid = \"claude-2\"\ntemplate = \"claude\"");
    model_served_by_nobody: plus("[models.gemini-pro]\n[[workload.classes]]\nname = \"other\"\n\
        model = \"gemini-pro\"\ninput_tokens = 1\noutput_tokens = 1");
    model_without_service: with("service = { first_token", "# service = { first_token");
    quotas_of_one_organisation: plus("[[accounts]]\nid = \"a\"\ntemplate = \"claude\"\n\
        organisation = \"acme\"\nlimits = { requests_per_minute = 100 }\n\
        [[accounts]]\nid = \"b\"\ntemplate = \"claude\"\norganisation = \"acme\"");
    failure_rates: with("count = 3", "count = 3\nfailures = [{ kind = \"hang\", rate = 0.6 }, \
        { kind = \"overloaded\", rate = 0.7 }]");
    failure_kinds: with("count = 3", "count = 3\nfailures = [{ kind = \"cancelled\", rate = 0.1 }, \
        { kind = \"hang\", rate = 2, time_to_fail = \"1s\" }]");
    capacity_keys: with("count = 3", "count = 3\ncapacity = { slots = 0, que = 10 }");
    capacity_without_a_model: with("count = 3", "count = 3\n\
        capacity = { queue = 10 }");
    capacity_with_a_misspelt_model: with("count = 3", "count = 3\n\
        capacity = { batchin = { base = \"8ms\", per_request = \"1ms\" }, \
        max_batch = 8 }");
    capacity_of_two_models: with("count = 3", "count = 3\n\
        capacity = { slots = 4, processor_sharing = 2 }");
    capacity_that_is_no_table: with("count = 3", "count = 3\n\
        capacity = \"unlimitd\"");
    processor_sharing_without_limit: with("count = 3", "count = 3\n\
        capacity = { processor_sharing = 2, queue = 10, \
        refusal = \"overloaded\", abandoned = \"stops\" }");
    batching_without_its_keys: with("count = 3", "count = 3\n\
        capacity = { batching = { base = \"8ms\", each = \"1ms\" } }");
    batching_in_no_time: with("count = 3", "count = 3\n\
        capacity = { batching = { base = \"0s\", per_request = \"0s\" }, \
        max_batch = 8, limit = 3 }");
    batching_that_speeds_up: with("count = 3", "count = 3\n\
        capacity = { batching = { sizes = [1, 4, 8], speeds = [80, 40, 60], \
        base = \"1ms\" } }");
    batching_not_from_one: with("count = 3", "count = 3\n\
        capacity = { batching = { sizes = [2, 4], speeds = [80, 40] } }");
    batching_sizes_out_of_order: with("count = 3", "count = 3\n\
        capacity = { batching = { sizes = [1, 8, 4], speeds = [80, 40, 30] } }");
    batching_sizes_and_speeds: with("count = 3", "count = 3\n\
        capacity = { batching = { sizes = [1, 4], speeds = [80, 40, 30] } }");
    batching_speed_of_zero: with("count = 3", "count = 3\n\
        capacity = { batching = { sizes = [1, 4], speeds = [80, 0] } }");
    batching_beyond_what_was_measured: with("count = 3", "count = 3\n\
        capacity = { batching = { sizes = [1, 4], speeds = [80, 40] }, \
        max_batch = 8 }");
    load_dependent_that_waits: with("count = 3", "count = 3\n\
        capacity = { load_dependent = { threshold = 0, above = 0.5 }, queue = 4, \
        limit = 8 }");
    load_dependent_that_speeds_up: with("count = 3", "count = 3\n\
        capacity = { load_dependent = { threshold = 4, at_threshold = 3, \
        above = 2 } }");
    distribution_kinds: GOOD
        .replace("kind = \"lognormal\"", "kind = \"log-normal\"")
        .replace("output_tokens = 200", "output_tokens = { kind = \"gamma\", mean = 200 }")
        .replace("\"400ms\"", "{ kind = \"uniform\", low = \"2s\", high = \"1s\" }");
    distribution_parameters: with("\"400ms\"", "{ kind = \"weibull\", mean = \"1s\", \
        scale = \"1s\", shape = 0 }")
        .replace("\"20ms\"", "{ kind = \"pareto\", low = \"2s\", high = \"1s\", shape = 1 }")
        .replace("{ kind = \"lognormal\", median = 1000, sigma = 0.8 }",
            "{ kind = \"erlang\", mean = 1000, stages = 2.5 }")
        .replace("output_tokens = 200",
            "output_tokens = { kind = \"hyperexponential\", mean = 200, cv = 0.5 }");
    quantiles: with("\"400ms\"", "{ kind = \"empirical\" }")
        .replace("\"20ms\"", "{ kind = \"empirical\", quantiles = [[0, \"1ms\"], [0.5, 3], \
            [1.5, \"9ms\"], [1, \"9ms\", 2]] }")
        .replace("{ kind = \"lognormal\", median = 1000, sigma = 0.8 }",
            "{ kind = \"empirical\", quantiles = [[0, 0], [0.9, 5], [0.5, 9], [1, 10]] }")
        .replace("output_tokens = 200", "output_tokens = { kind = \"empirical\", \
            interpolation = \"logarithmic\", quantiles = [[0, 0], [0.5, 9]] }");
    quantiles_without_ends: GOOD
        .replace("{ kind = \"lognormal\", median = 1000, sigma = 0.8 }",
            "{ kind = \"empirical\", quantiles = [[0.01, 1], [0.9, 5], [1, 10]] }")
        .replace("output_tokens = 200", "output_tokens = { kind = \"empirical\", \
            interpolation = \"log\", quantiles = [[0, 0], [1, 9]] }");
    distribution_in_the_wrong_unit: with("median = 1000", "median = \"1000ms\"");
    mixture_without_weight: with(
        "output_tokens = 200",
        "output_tokens = { kind = \"mixture\", parts = [{ kind = \"constant\", value = 1 }] }"
    );
    class_weights_all_zero: plus("weight = 0");
    two_classes_of_one_name: plus("[[workload.classes]]\nname = \"chat\"\n\
        model = \"claude-sonnet\"\ninput_tokens = 1\noutput_tokens = 1");
    round_trips_asymmetric: with("[\"80ms\", \"2ms\"]", "[\"90ms\", \"2ms\"]");
    round_trips_missing: with(", [\"80ms\", \"2ms\"]", "");
    round_trips_absent: with("round_trips", "# round_trips");
    fault_after_the_end: plus("[[faults]]\nkind = \"blackhole\"\nprovider = \"anthropic\"\n\
        start = \"11min\"\nduration = \"1min\"");
    fault_targets: plus("[[faults]]\nkind = \"outage\"\nstart = \"1min\"\nduration = \"1min\"\n\
        [[faults]]\nkind = \"outage\"\naccounts = [\"claude-4\"]\nstart = \"1min\"\n\
        duration = \"1min\"\n\
        [[faults]]\nkind = \"outage\"\nprovider = \"google\"\nstart = \"1min\"\nduration = \"0s\"");
    fault_keys: plus("[[faults]]\nkind = \"brownout\"\nprovider = \"anthropic\"\n\
        start = \"1min\"\nduration = \"1min\"\nrate = 0.5");
    fault_ramps_and_lengths: plus("[[faults]]\nkind = \"cold_start\"\nprovider = \"anthropic\"\n\
        start = \"1min\"\nduration = \"1min\"\nfactor = 3\n\
        [[faults]]\nkind = \"price_change\"\nprovider = \"anthropic\"\nstart = \"1min\"\n\
        factor = -1\nramp = \"1min\"\n\
        [[faults]]\nkind = \"account_added\"\naccounts = \"claude-1\"\nstart = \"0s\"");
    fault_flapping: plus("[[faults]]\nkind = \"flapping\"\nprovider = \"anthropic\"\n\
        start = \"1min\"\nduration = \"1min\"\nperiod = \"1ms\"\nduty = 1\n\
        [[faults]]\nkind = \"flapping\"\nprovider = \"anthropic\"\nstart = \"1min\"\n\
        duration = \"1min\"\nperiod = \"2min\"");
    fault_of_what_is_not_there: plus("[[faults]]\nkind = \"rate_limit\"\nfactor = 0.1\n\
        provider = \"anthropic\"\nstart = \"1min\"\nduration = \"1min\"\n")
        .replace("prices = { input = \"$3/Mtok\", output = \"$15/Mtok\" }\n", "")
        + "[[faults]]\nkind = \"price_change\"\naccounts = \"all\"\nstart = \"1min\"\nfactor = 2\n";
    fault_removes_what_is_out: with("count = 3", "count = 3\navailability = \"draining\"")
        + "[[faults]]\nkind = \"account_removed\"\naccounts = \"all\"\nstart = \"1min\"\n";
    fault_partition: plus("[[faults]]\nkind = \"partition\"\nmodel = \"claude-sonnet\"\n\
        start = \"1min\"\nduration = \"1min\"\n\
        [[faults]]\nkind = \"partition\"\nregion = \"us-east\"\nfrom = [\"mars\", 3]\n\
        start = \"1min\"\nduration = \"1min\"");
    fault_partition_behind_the_gateway:
        with("names = [\"us-east\", \"eu-west\"]", "names = [\"us-east\", \"eu-west\"]\n\
        gateway = \"us-east\"")
        + "[[faults]]\nkind = \"partition\"\nregion = \"us-east\"\nfrom = \"eu-west\"\n\
           start = \"1min\"\nduration = \"1min\"";
    incidents_keys: plus("[[faults]]\nkind = \"outage\"\nprovider = \"anthropic\"\n\
        start = \"1min\"\nincidents = { shape = 0, mean_duration = \"1h\", \
        median_duration = \"1h\", together = \"region\" }\n\
        [[faults]]\nkind = \"account_removed\"\naccounts = \"all\"\n\
        incidents = { mean_gap = \"1h\", median_duration = \"1min\" }");
    incidents_that_cannot_be: plus("[[faults]]\nkind = \"outage\"\nprovider = \"anthropic\"\n\
        incidents = { mean_gap = \"1min\", median_duration = \"1min\", overlap = 0.5 }\n\
        [[faults]]\nkind = \"outage\"\nprovider = \"anthropic\"\n\
        incidents = { mean_gap = \"1ms\", median_duration = \"1ms\", together = \"account\" }");
    network_keys: plus("[network]\nloss = 2\ndelays = \"5ms\"\n\
        [[network.links]]\nbetween = [\"us-east\", \"mars\"]\nloss = 0.1\n\
        [[network.links]]\nbetween = \"us-east\"\n\
        [[network.links]]\nbetween = [\"us-east\"]\nlost_after = \"1s\"\n");
    network_links_twice: plus("[network]\ndelay = \"5ms\"\nlost_after = \"5s\"\n\
        [[network.links]]\nbetween = [\"us-east\", \"eu-west\"]\nloss = 0.1\n\
        [[network.links]]\nbetween = [\"eu-west\", \"us-east\"]\nloss = 0.2\n");
    network_that_swallows: plus("[routing]\ndeadline = \"none\"\n\
        [network]\nloss = 0.1\nlost_after = \"never\"\n");
    requests_that_never_end: plus("[routing]\ndeadline = \"none\"\n[[faults]]\n\
        kind = \"blackhole\"\naccounts = \"claude-1\"\nstart = \"1min\"\nduration = \"1min\"");
    segments_out_of_order: with(
        "\"poisson\"\nrate = \"40rps\"",
        "\"piecewise\"\nsegments = [{ start = \"0s\", rate = \"40rps\" }, \
         { start = \"5min\", rate = \"80rps\" }, { start = \"2min\", rate = \"1rps\" }]"
    );
    arrivals_unknown: with("\"poisson\"", "\"gama\"\ncv = 3");
    gamma_keys: arriving("arrivals = \"gamma\"\nrate = \"0rps\"\ncv = 1000");
    mmpp_keys: arriving("arrivals = \"mmpp\"\nrate = \"4rps\"\nburst_factor = 0.5\n\
        calm_time = \"1us\"\nburst_tiem = \"3s\"");
    diurnal_keys: arriving("arrivals = \"diurnal\"\nrate = \"4rps\"\namplitude = 2\n\
        period = \"0s\"\nsegments = []");
    closed_loop_keys: arriving("arrivals = \"closed_loop\"\nrate = \"4rps\"\nusers = 0");
    closed_loop_without_thinking: arriving("arrivals = \"closed_loop\"\nusers = 3\n\
        think_time = \"0s\"");
    keys_of_other_arrivals: with("\"poisson\"", "\"poisson\"\nthink_time = \"3s\"\ncv = 2\n\
        burst_factor = 3\npeak = \"2s\"");
    clients_beside_arrivals: plus("[[workload.clients]]\nname = \"a\"\narrivals = \"poisson\"\n\
        rate = \"1rps\"");
    clients_keys: arriving("").replace("[[workload.classes]]", "[[workload.clients]]\n\
        name = \"a\"\narrivals = \"trace\"\npath = \"x\"\nclasses = [\"caht\"]\n\
        [[workload.clients]]\narrivals = \"poisson\"\nrate = \"1rps\"\nclasses = {}\n\
        [[workload.clients]]\nname = \"c\"\narrivals = \"poisson\"\nrate_scale = 2\n\
        rate = \"1rps\"\nclasses = { chat = -1 }\n[[workload.classes]]");
    clients_twice: arriving("").replace("[[workload.classes]]", "[[workload.clients]]\n\
        name = \"a\"\narrivals = \"closed_loop\"\nusers = 600_000\nthink_time = \"1h\"\n\
        [[workload.clients]]\nname = \"a\"\narrivals = \"closed_loop\"\nusers = 600_000\n\
        think_time = \"1h\"\n[[workload.classes]]");
    clients_with_classes_twice: arriving("").replace("[[workload.classes]]",
        "[[workload.clients]]\n\
        name = \"c\"\narrivals = \"poisson\"\nrate = \"1rps\"\n\
        classes = [\"chat\", \"chat\"]\n[[workload.clients]]\nname = \"d\"\n\
        arrivals = \"poisson\"\nrate = \"1rps\"\nclasses = \"chat\"\n[[workload.classes]]");
    clients_none: arriving("clients = []");
    repeats_keys: plus("repeats = { share = 2, keys = 0, exponent = -1, kyes = 3 }");
    repeats_without_keys: plus("repeats = {}");
    trace_without_path: traced("");
    trace_not_found: traced("path = \"no/such.csv\"");
    trace_options: traced("path = 3\nrate_scale = 0\nslice_start = \"9s\"\nslice_end = \"3s\"");
    trace_with_tokens: traced("") + "input_tokens = 3\n";
    trace_with_repeats: traced("") + "repeats = { share = 0.5, keys = 10 }\n";
    trace_keys_without_trace: with("\"poisson\"", "\"poisson\"\nrate_scale = 2");
    timeline_window: plus("[output]\ntimeline_window = \"1ms\"");
    set_unknown_key: GOOD, "workload.rat=80rps", "routing.braker.open_time=3s";
    set_bad_value: GOOD, "workload.rate=fast", "duration = 10", "accounts[0].count=[1,";
    set_bad_path: GOOD, "workload.rate", "accounts[7].weight=1", "accounts.claude.weight=1",
        "seed.x=1", "workload[0].rate=1", "=3";
    set_against_file: format!("warmup = \"5min\"\n{GOOD}"), "duration=1min";
}

#[test]
fn seed_replications_and_strategies_are_checked_too() {
    let overrides = Overrides {
        replications: Some(0),
        strategies: Some(vec!["smart".into(), "round_robbin".into()]),
        ..Overrides::default()
    };
    insta::assert_snapshot!(refused(GOOD, &overrides));
}

#[test]
fn warnings_leave_a_scenario_usable() {
    let text = GOOD
        .replace("40rps", "2rps")
        .replace("median = 1000,", "median = 1_000_000,")
        + "[[faults]]\nkind = \"blackhole\"\nprovider = \"anthropic\"\nstart = \"9min\"\n\
           duration = \"2min\"\n";
    let loaded = scenario::parse("broken.toml", &text, Path::new(""), &Overrides::default());
    let loaded = loaded.unwrap_or_else(|found| panic!("{found}"));
    insta::assert_snapshot!(loaded.warnings.render(false));
}

#[test]
fn a_class_that_no_client_asks_for_is_pointed_out() {
    let clients = "[[workload.clients]]\nname = \"a\"\narrivals = \"poisson\"\n\
                   rate = \"40rps\"\nclasses = [\"other\"]\n[[workload.classes]]\n\
                   name = \"other\"\nmodel = \"claude-sonnet\"\ninput_tokens = 1\n\
                   output_tokens = 1\n[[workload.classes]]";
    let text = arriving("").replace("[[workload.classes]]", clients);
    let loaded = scenario::parse("broken.toml", &text, Path::new(""), &Overrides::default());
    let loaded = loaded.unwrap_or_else(|found| panic!("{found}"));
    insta::assert_snapshot!(loaded.warnings.render(false));
}

/// What the scenario's author is warned of.
fn warned(text: &str, overrides: &Overrides) -> Diagnostics {
    let loaded = scenario::parse("broken.toml", text, Path::new(""), overrides);
    loaded.unwrap_or_else(|found| panic!("{found}")).warnings
}

#[test]
fn wishes_that_no_strategy_looks_at_are_pointed_out() {
    let text = with(", \"smart\"", "") + "preferences = { latency_tolerance = \"3s\" }\n";
    insta::assert_snapshot!(warned(&text, &Overrides::default()).render(false));
}

/// Where strategies are chosen for a run, the file is not blamed for those left out, but an arm
/// that makes nothing of its own settings is still told so.
#[test]
fn strategies_left_out_make_no_setting_idle() {
    let text = plus("[routing]\nwhen_none_available = \"wait\"\nsmart = { low = \"random\" }")
        .replace(
            "\"least_connections\"",
            "{ name = \"r\", strategy = \"random\", \
            when_none_available = \"reject\", max_waiting = 3 }",
        );
    let chosen = |name: &str| Overrides {
        strategies: Some(vec![name.into()]),
        ..Overrides::default()
    };
    assert!(warned(&text, &chosen("round_robin")).is_empty());
    let found = warned(&text, &chosen("r")).render(false);
    assert!(found.contains("`max_waiting` has no effect"), "{found}");
    assert_eq!(warned(&text, &chosen("r")).len(), 1, "{found}");
}

/// A sweep is told that a setting has no effect only if it has none in any of its cells.
#[test]
fn what_acts_in_one_cell_of_a_sweep_is_not_idle() {
    let text = plus("[routing]\nmax_waiting = 7\n[routing.retry]\nbudget_per_second = 1");
    let cells = |axes: &[(&str, &[&str])]| {
        let axes = axes
            .iter()
            .map(|(path, values)| Axis::parse(&format!("{path}={}", values.join(","))).unwrap());
        let grid = Grid::new(axes.collect()).unwrap();
        let mut found = Diagnostics::default();
        for cell in 0..grid.cells() {
            found.absorb(warned(&text, &grid.overrides(cell, &Overrides::default())));
        }
        found.render(false)
    };
    let attempts: (&str, &[&str]) = ("routing.max_attempts", &["1", "2"]);
    let found = cells(&[attempts]);
    assert!(found.contains("`max_waiting` has no effect"), "{found}");
    assert!(!found.contains("`retry` has no effect"), "{found}");
    let line: (&str, &[&str]) = ("routing.when_none_available", &["wait", "reject"]);
    assert_eq!(cells(&[line, attempts]), "");
    let length: (&str, &[&str]) = ("routing.max_waiting", &["3", "4"]);
    let found = cells(&[length]);
    assert!(found.contains("`max_waiting` has no effect"), "{found}");
    assert!(found.ends_with("1 warning"), "{found}");
}

#[test]
fn a_bad_trace_is_named_with_line_and_column() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("bad.csv"), "time,in,out\n").unwrap();
    let text = traced("path = \"bad.csv\"");
    let none = Overrides::default();
    let found = scenario::parse("broken.toml", &text, directory.path(), &none).unwrap_err();
    let message = found.render(false);
    assert!(message.contains("error: bad trace: "), "{message}");
    assert!(message.contains("--> bad.csv:1:"), "{message}");
    assert!(message.contains("broken.toml:27:8"), "{message}");
}

#[test]
fn files_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("outage.toml"), GOOD).unwrap();
    std::fs::write(
        path("latin1.toml"),
        b"question = \"x\"\nexpectation = \"\xe4\"",
    )
    .unwrap();
    let huge = std::fs::File::create(path("huge.toml")).unwrap();
    huge.set_len((16 << 20) + 1).unwrap();
    let mut messages = String::new();
    for name in [
        "outtage.toml",
        "nothing-like-it",
        "latin1.toml",
        "huge.toml",
        "",
    ] {
        let found = scenario::load(&path(name), &Overrides::default()).unwrap_err();
        messages += &found.render(false);
        messages += "\n\n";
    }
    let messages = messages.replace(&directory.path().display().to_string(), "DIR");
    insta::assert_snapshot!(messages);
}

#[test]
fn more_findings_than_anybody_reads_are_counted() {
    use std::fmt::Write as _;
    let mut text = GOOD.to_owned();
    for number in 0..200 {
        let _ = writeln!(text, "unknown_{number} = 1");
    }
    let message = refused(&text, &Overrides::default());
    assert!(
        message.ends_with("200 errors, the first 50 of them shown"),
        "{message}"
    );
}

#[test]
fn a_very_long_line_is_named_but_not_shown() {
    let text = with("count = 3", &format!("count = {}", "9".repeat(100_000)));
    let message = refused(&text, &Overrides::default());
    assert!(message.contains("--> broken.toml:22:9"), "{message}");
    assert!(message.len() < 2_000, "{message}");
}

/// Neither reading nor rendering panics; what is accepted can be read again from its resolved text,
/// and is then the same.
fn never_panics(text: &str, argument: &str) {
    let overrides = set(&[argument]);
    let read = |text: &str, overrides: &Overrides| {
        scenario::parse("fuzz.toml", text, Path::new("/nonexistent"), overrides)
    };
    match read(text, &overrides) {
        Err(found) => assert!(!found.render(true).is_empty()),
        Ok(loaded) => {
            drop(loaded.warnings.render(true));
            let resolved = &loaded.scenario.resolved_toml;
            let again = read(resolved, &Overrides::default());
            let again = again.unwrap_or_else(|found| panic!("{found}\n{resolved}"));
            let facts = |loaded: &scenario::Loaded| format!("{:?}", loaded.scenario);
            assert_eq!(facts(&loaded), facts(&again));
        }
    }
}

/// A scenario that uses the whole format, its pool of accounts made small.
fn everything() -> String {
    include_str!("everything.toml").replace("count = 1000", "count = 3")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,300}", argument in "\\PC{0,40}") {
        never_panics(&text, &argument);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        never_panics(&String::from_utf8_lossy(&bytes), "a.b=1");
    }

    /// Cut, doubled and overwritten stretches of a scenario that uses the whole format.
    #[test]
    fn mutated_scenarios_never_panic(
        cuts in prop::collection::vec((0.0..1.0f64, 0usize..40, "\\PC{0,8}"), 1..6),
        path in 0usize..400,
        value in "[-0-9a-z\"{\\[.]{0,6}",
    ) {
        let mut text: Vec<char> = everything().chars().collect();
        for (at, length, replacement) in cuts {
            let start = (at * text.len() as f64) as usize;
            let end = (start + length).min(text.len());
            text.splice(start..end, replacement.chars());
        }
        let text: String = text.into_iter().collect();
        let everything = everything();
        let words = everything.split_whitespace().nth(path).unwrap_or("seed");
        never_panics(&text, &format!("{words}={value}"));
    }

    /// Every value of the scenario in turn replaced by one of the wrong kind or size.
    #[test]
    fn replaced_values_never_panic(
        line in 0usize..200,
        value in prop::sample::select(vec![
            "0", "-1", "1e308", "nan", "\"\"", "\"none\"", "[]", "{}", "[[]]", "true", "\"0s\"",
            "\"36500d\"", "18446744073709551616", "1979-05-27", "\"all\"", "{ kind = \"mixture\" }",
        ]),
    ) {
        let everything = everything();
        let lines = everything.lines().enumerate().map(|(at, text)| match text.split_once(" = ") {
            Some((key, _)) if at == line => format!("{key} = {value}\n"),
            _ => format!("{text}\n"),
        });
        never_panics(&lines.collect::<String>(), "seed=1");
    }
}
