// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/engine/core.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace synward::engine {
namespace {

std::uint32_t percent_of(std::uint32_t whole, std::uint32_t percent) {
  return static_cast<std::uint32_t>(std::uint64_t{whole} * percent / 100);
}

// H3: enough to heal lost challenges of real clients, too few to be worth a reflection.
constexpr std::uint32_t backlog_per_retransmit = 64;
constexpr std::uint32_t retransmits_per_second_min = 16;

flood::AdmissionSettings admission_settings(const EngineSettings& settings) {
  // At least 1: a tiny backlog is not always under pressure.
  return {
      .high_entries = std::max(percent_of(settings.backlog, settings.high_watermark_percent), 1U),
      .low_entries = percent_of(settings.backlog, settings.low_watermark_percent),
      .retransmits_per_second =
          std::max(settings.backlog / backlog_per_retransmit, retransmits_per_second_min),
      .keep_at_least = settings.synack_timeout};
}

}  // namespace

Core::Core(const EngineSettings& engine_settings, Counters& engine_counters, Instant now)
    : settings(engine_settings),
      counters(engine_counters),
      directory(settings.services),
      choice(directory,
             handshake::derive_hash_key(settings.master_key, handshake::Purpose::backend_choice)),
      keys(settings.master_key, settings.wall_offset),
      flows(settings.connections, settings.hash_key, now),
      live_tuples(settings.live_tuples),
      early_data({.per_connection = settings.early_data_per_connection,
                  .total = settings.early_data_total}),
      early_data_shares(settings.hash_key),
      flows_by_prefix(settings.hash_key),
      abandoned(settings.hash_key),
      schedule{settings.synack_timeout, static_cast<std::uint8_t>(settings.synack_retries)},
      answers(settings.hash_key),
      answers_apart(answers_apart_per_second, now) {
  add_services(settings, now);
  set_limits();
}

// A service that a refused reload would have added has a number, but never had a listen: it gets a
// queue when it has. Where the memory is too small for all of them nothing is changed.
void Core::add_services(const EngineSettings& wanted, Instant now) {
  std::vector<std::pair<std::size_t, flow::HalfOpenQueue>> queues;
  for (std::size_t i = 0; i < wanted.services.size(); ++i) {
    const std::uint32_t capacity = wanted.services[i].listens.empty() ? 0 : wanted.backlog;
    if (i < services.size() && services[i].queue.capacity() >= capacity) continue;
    queues.emplace_back(i, flow::HalfOpenQueue(capacity, wanted.hash_key, now));
  }
  for (auto& [service, queue] : queues) {
    counters.services[service].half_open_limit.set(queue.capacity());
    if (service < services.size()) {
      services[service].queue = std::move(queue);
    } else {
      services.push_back({.queue = std::move(queue),
                          .admission = {admission_settings(wanted), now},
                          .synacks = flood::PrefixLimit(wanted.hash_key),
                          .counters = counters.services[service]});
    }
  }
}

void Core::set_limits() {
  const auto configured = static_cast<std::uint32_t>(std::ranges::count_if(
      settings.services, [](const auto& service) { return !service.listens.empty(); }));
  service_share = std::max(flows.capacity() / std::max(configured, 1U), 1U);
  for (std::size_t i = 0; i < settings.services.size(); ++i) {
    services[i].synacks.set_rate(settings.services[i].synacks_per_prefix);
  }
}

void Core::shrink_offers(Instant now) {
  if (settings.learned == nullptr) return;
  const std::uint32_t losses = settings.learned->losses();
  if (losses == losses_heeded_) return;
  losses_heeded_ = losses;
  const handshake::Epoch present = keys.epoch(now);
  // A reload that was too large for the memory leaves fewer listens than there are offers.
  const auto listens = static_cast<std::uint16_t>(
      std::min<std::size_t>(settings.offers.size(), directory.listen_count()));
  for (std::uint16_t i = 0; i < listens; ++i) {
    handshake::ServiceOffer offer = settings.offers[i].at(present);
    for (const std::uint16_t position : directory.candidates(i)) {
      const auto known = settings.learned->find(directory.listen(i).service, position);
      if (known) offer = backend::what_holds(offer, *known);
    }
    if (offer != settings.offers[i].at(present)) settings.offers[i].begin(present, offer);
  }
}

// Whose cookies are under way. A listen has the same number before and after a reload.
void Core::remember_made(std::vector<handshake::OfferHistory>& offers, Instant now) const {
  const handshake::Epoch present = keys.epoch(now);
  const std::size_t known = std::min(offers.size(), settings.offers.size());
  for (std::size_t i = 0; i < known; ++i) offers[i].remember(settings.offers[i], present);
}

void Core::set_offers(std::vector<handshake::OfferHistory> offers, Instant now) {
  remember_made(offers, now);
  settings.offers = std::move(offers);
  losses_heeded_.reset();
}

void Core::apply(const EngineSettings& changed, Instant now) {
  // What may be too large for the memory comes first: where it throws, all works as before.
  EngineSettings wanted = changed;
  remember_made(wanted.offers, now);
  add_services(wanted, now);
  early_data.set_bounds(
      {.per_connection = changed.early_data_per_connection, .total = changed.early_data_total});
  settings = std::move(wanted);
  losses_heeded_.reset();
  directory.apply(settings.services);
  choice.grow();
  schedule = {settings.synack_timeout, static_cast<std::uint8_t>(settings.synack_retries)};
  for (ServiceState& service : services) {
    service.admission.set_settings(admission_settings(settings), now);
  }
  set_limits();
}

}  // namespace synward::engine
