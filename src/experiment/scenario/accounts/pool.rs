//! All accounts of a scenario, expanded: what routing is told and how the upstream behaves.

use super::fields::{AccountFields, Offer};
use super::reach::Reach;
use super::{Context, Entry, MOST_ACCOUNTS};
use crate::experiment::results::AccountDescription;
use crate::experiment::scenario::diagnostics::{Finding, Span};
use crate::experiment::scenario::models::ModelFields;
use crate::experiment::scenario::section::Field;
use crate::experiment::scenario::service::Limits;
use crate::request::{ModelIndex, Provider, RegionIndex};
use crate::routing::account::{Account, Availability, ServedModel};
use crate::units::Prices;
use crate::upstream::config::{Abandoned, AccountBehaviour, Capacity, Quota};
use std::collections::BTreeMap;

/// The accounts of one entry.
pub(in crate::experiment::scenario) type Range = std::ops::Range<usize>;

/// Accounts shown apart in the timeline, at most; beyond it they are shown in groups.
const MOST_LANES: usize = 16;

/// Everything about the accounts, by [`crate::request::AccountIndex`].
#[derive(Default)]
pub(in crate::experiment::scenario) struct Pool {
    /// What routing is told.
    pub(in crate::experiment::scenario) accounts: Vec<Account>,
    /// How they behave.
    pub(in crate::experiment::scenario) behaviours: Vec<AccountBehaviour>,
    /// Their quotas.
    pub(in crate::experiment::scenario) quotas: Vec<Quota>,
    /// How they are reached; of a gateway only.
    pub(in crate::experiment::scenario) reaches: Vec<Reach>,
    /// The entries as written, with the accounts that each became.
    pub(in crate::experiment::scenario) entries: Vec<(String, Range)>,
}

impl Pool {
    /// Makes the accounts of all entries. `None` if one is bad, which is reported.
    pub(super) fn expand(entries: &[Entry], context: &Context) -> Option<Self> {
        let total: u64 = entries.iter().map(|entry| entry.count).sum();
        if total > MOST_ACCOUNTS {
            let finding = Finding::error(format!("{total} accounts are too many"));
            let at = entries.last()?.heading;
            let help = format!("allowed: at most {MOST_ACCOUNTS} accounts in all");
            context.findings.push(finding.at(at, "").help(help));
            return None;
        }
        let mut maker = Maker::default();
        let made: Vec<bool> = entries
            .iter()
            .map(|entry| maker.entry(entry, context).is_some())
            .collect();
        made.iter().all(|made| *made).then_some(maker.pool)
    }

    /// Accounts as a report shows them, and the lanes that it shows them in: each its own while
    /// they are few, else one for each entry, else one for each provider.
    pub(in crate::experiment::scenario) fn describe(
        &self,
        regions: &[String],
    ) -> (Vec<AccountDescription>, Vec<String>) {
        let lane_name = |at: usize, account: &Account| -> String {
            let entry = || self.entries.iter().find(|(_, range)| range.contains(&at));
            if self.accounts.len() <= MOST_LANES {
                account.id.clone()
            } else if self.entries.len() <= MOST_LANES {
                entry().map_or_else(String::new, |(id, _)| id.clone())
            } else {
                account.provider.name().to_owned()
            }
        };
        let mut lanes: Vec<String> = Vec::new();
        let describe = |(at, account): (usize, &Account)| {
            let name = lane_name(at, account);
            let lane = lanes.iter().position(|lane| *lane == name);
            let lane = lane.unwrap_or_else(|| {
                lanes.push(name);
                lanes.len() - 1
            });
            AccountDescription {
                id: account.id.clone(),
                provider: account.provider,
                region: account
                    .region
                    .map_or_else(String::new, |region| regions[region.at()].clone()),
                lane,
            }
        };
        let descriptions = self.accounts.iter().enumerate().map(describe).collect();
        (descriptions, lanes)
    }
}

/// The pool while it is made.
#[derive(Default)]
struct Maker {
    pool: Pool,
    ids: BTreeMap<String, Span>,
    shared: BTreeMap<(Provider, String), Shared>,
}

/// The quota of an organisation at a provider: its position, what it is, and where it was stated.
type Shared = (Option<usize>, Option<Quota>, Span);

/// What all accounts of one entry have in common.
struct Common {
    account: Account,
    behaviour: AccountBehaviour,
    quota: Option<Quota>,
    reach: Option<Reach>,
}

impl Maker {
    fn entry(&mut self, entry: &Entry, context: &Context) -> Option<()> {
        let common = common(entry, context)?;
        let first = self.pool.accounts.len();
        for number in 1..=entry.count {
            let numbered = |text: &str| text.replace("{n}", &number.to_string());
            let id = numbered(&entry.id);
            if let Some(before) = self.ids.insert(id.clone(), entry.id_span) {
                let finding = Finding::error(format!("two accounts are called `{id}`"));
                let finding = finding.at(entry.id_span, "used again here");
                context
                    .findings
                    .push(finding.also(before, "first used here"));
                return None;
            }
            let organisation = common.account.organisation.as_deref().map(numbered);
            let reach = common.reach.as_ref();
            self.pool
                .reaches
                .extend(reach.map(|it| it.numbered(numbered)));
            let quota = self.quota(&common, organisation.as_ref(), entry, context)?;
            self.pool.accounts.push(Account {
                id,
                organisation,
                ..common.account.clone()
            });
            self.pool.behaviours.push(AccountBehaviour {
                quota,
                ..common.behaviour.clone()
            });
        }
        let range = first..self.pool.accounts.len();
        self.pool.entries.push((entry.id.clone(), range));
        Some(())
    }

    /// Position of the account's quota: its own, or that of its organisation at the provider.
    fn quota(
        &mut self,
        common: &Common,
        organisation: Option<&String>,
        entry: &Entry,
        context: &Context,
    ) -> Option<Option<usize>> {
        let Some(organisation) = organisation else {
            return Some(self.add(common.quota));
        };
        let key = (common.account.provider, organisation.clone());
        let Some((at, quota, before)) = self.shared.get(&key) else {
            let at = self.add(common.quota);
            self.shared.insert(key, (at, common.quota, entry.heading));
            return Some(at);
        };
        if *quota == common.quota {
            return Some(*at);
        }
        let provider = common.account.provider;
        let title = format!("two quotas for organisation `{organisation}` at {provider}");
        context.findings.push(
            Finding::error(title)
                .at(entry.heading, "another quota here")
                .also(*before, "than here")
                .help("accounts of one organisation at one provider share one quota"),
        );
        None
    }

    fn add(&mut self, quota: Option<Quota>) -> Option<usize> {
        self.pool.quotas.push(quota?);
        Some(self.pool.quotas.len() - 1)
    }
}

fn common(entry: &Entry, context: &Context) -> Option<Common> {
    let fields = entry.fields.clone();
    let missing = |key: &str, example: &str, absent: bool| {
        if absent {
            context.findings.push(
                Finding::error(format!("missing `{key}` of account `{}`", entry.id))
                    .at(entry.heading, format!("needs `{key}`"))
                    .help(format!(
                        "add `{key} = {example}` to the account or its template"
                    ))
                    .needs_the_rest(),
            );
        }
    };
    missing("provider", "\"anthropic\"", absent(&fields.provider));
    missing("models", "[\"claude-sonnet\"]", absent(&fields.models));
    let served = served(&fields, entry, context);
    let reach = reach(&fields, entry, context);
    let limits = fields.limits.or(Limits::NONE);
    let quota = fields.quota.or(Limits::default());
    let provider = fields.provider.optional();
    let region: Option<Option<RegionIndex>> = fields.region.or(None);
    let organisation = fields.organisation.optional();
    let weight = fields.weight.or(1);
    let max_in_flight = fields.max_in_flight.or(100);
    let availability = fields.availability.or(Availability::Enabled);
    let capacity = fields.capacity.or((Capacity::Unlimited, Abandoned::Frees));
    let failures = fields.failures.or(Vec::new());
    let (models, service_of_model) = served?;
    let (limits, quota) = (limits?, quota?);
    if quota.is_only_a_manner(limits) {
        let finding = Finding::warning("`retry_after` has no effect");
        let finding = finding.at(
            entry.heading,
            "there is no quota that an attempt could exceed",
        );
        let help = "state what the `quota` or the `limits` allow, or remove it";
        context
            .findings
            .push(finding.help(help).unless_elsewhere().needs_the_rest());
    }
    let (capacity, abandoned) = capacity?;
    Some(Common {
        account: Account {
            id: String::new(),
            provider: provider??,
            region: region?,
            models,
            weight: weight?,
            max_in_flight: max_in_flight?,
            limits: limits.declared(),
            organisation: organisation?,
            availability: availability?,
        },
        behaviour: AccountBehaviour {
            region: region?,
            service_of_model,
            capacity,
            abandoned,
            quota: None,
            failures: failures?,
        },
        quota: quota.enforced(limits),
        reach: reach?,
    })
}

fn absent<T>(field: &Field<T>) -> bool {
    matches!(field, Field::Absent)
}

/// How the account is reached: `Some(None)` in a scenario, `None` if bad.
fn reach(fields: &AccountFields, entry: &Entry, context: &Context) -> Option<Option<Reach>> {
    if !context.of_gateway {
        return Some(None);
    }
    let reach = fields.reach.clone();
    if absent(&reach.key) {
        let title = format!("missing the key of account `{}`", entry.id);
        let finding = Finding::error(title).at(entry.heading, "needs a key");
        let help = "add `key_env = \"ANTHROPIC_API_KEY\"` or `key_file = \"anthropic.key\"` to the \
                    account or its template";
        context.findings.push(finding.help(help).needs_the_rest());
    }
    let (Field::Good(offers), Field::Good(provider)) = (&fields.models, fields.provider) else {
        return None;
    };
    let name = |(at, offer): (&usize, &Offer)| {
        let model = ModelIndex(u16::try_from(*at).ok()?);
        Some((model, offer.upstream_name?.to_owned()))
    };
    Some(Some(Reach {
        base_url: match reach.base_url {
            Field::Absent => Pool::usual_url(provider)?.to_owned(),
            stated => stated.optional()??,
        },
        key: reach.key.optional()??,
        upstream_names: offers.iter().filter_map(name).collect(),
    }))
}

type Served = (Vec<ServedModel>, Vec<Option<u16>>);

/// What the account serves: its own word before that of the account, before that of the model.
fn served(fields: &AccountFields, entry: &Entry, context: &Context) -> Option<Served> {
    let models = context.models?;
    let Field::Good(offers) = &fields.models else {
        return None;
    };
    let mut services = vec![None; models.names.len()];
    let mut served = Vec::new();
    let mut good = true;
    for (&at, offer) in offers {
        let general = models.fields[at];
        let own = offer.fields;
        let service = own.service.overlay(fields.service).overlay(general.service);
        if absent(&service) && !context.of_gateway {
            no_service(offer, entry, context);
        }
        let quality = own.quality.overlay(general.quality).or(3);
        let window = own.context_window.overlay(general.context_window);
        let prices = own.prices.overlay(general.prices).or(Prices::default());
        let model = (|| {
            Some(ServedModel {
                model: ModelIndex(u16::try_from(at).ok()?),
                prices: prices?,
                quality: quality?,
                context_window: window.or(ModelFields::DEFAULT_CONTEXT_WINDOW)?,
            })
        })();
        services[at] = service.optional().flatten();
        good &= model.is_some() && (context.of_gateway || services[at].is_some());
        served.extend(model);
    }
    good.then_some((served, services))
}

fn no_service(offer: &Offer, entry: &Entry, context: &Context) {
    let title = format!(
        "no service for model `{}` at account `{}`",
        offer.name, entry.id
    );
    let help = format!(
        "add `service = {{ first_token = ..., per_output_token = ... }}` to [models.{}], to the \
         account, or to its template",
        offer.name
    );
    context.findings.push(
        Finding::error(title)
            .at(offer.span, "how long does an answer take?")
            .help(help)
            .needs_the_rest(),
    );
}
