// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/offer_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "daemon/io/clock.h"
#include "daemon/service/log.h"
#include "daemon/state_file.h"

namespace synward {

using handshake::Epoch;
using handshake::OfferHistory;
using handshake::ServiceOffer;

namespace {

constexpr std::chrono::milliseconds start_patience{1000};
constexpr std::chrono::milliseconds repeat_after{200};  // then doubling
constexpr std::chrono::seconds repeat_every{1};
constexpr std::chrono::seconds ask_again_first{10};
constexpr std::chrono::seconds ask_again_last{60};
constexpr std::chrono::minutes ask_everyone_every{10};

std::string line_of(const wire::Endpoint& listen, const OfferHistory::Entry& entry) {
  const ServiceOffer& offer = entry.offer;
  return fmt::format("{} {} {} {} {} {:d} {:d} {:d}\n", wire::to_string(listen), entry.from,
                     offer.mss, offer.window, offer.window_scale, offer.sack, offer.timestamps,
                     offer.ecn);
}

// As the log says it.
std::string words_for(const ServiceOffer& offer) {
  std::string words = fmt::format("MSS {}, window {}", offer.mss, offer.window);
  if (offer.window_scale != SYNWARD_WINDOW_SCALE_ABSENT) {
    words += fmt::format(", window scale {}", offer.window_scale);
  }
  if (offer.sack) words += ", SACK";
  if (offer.timestamps) words += ", timestamps";
  if (offer.ecn) words += ", ECN";
  return words;
}

struct Line {
  wire::Endpoint listen;
  OfferHistory::Entry entry;
};

std::optional<Line> parse_line(const std::string& text) {
  std::istringstream words(text);
  std::string listen;
  Line line;
  ServiceOffer& offer = line.entry.offer;
  unsigned scale = 0;
  words >> listen >> line.entry.from >> offer.mss >> offer.window >> scale >> offer.sack >>
      offer.timestamps >> offer.ecn;
  if (words.fail() || scale > SYNWARD_WINDOW_SCALE_ABSENT) return std::nullopt;
  const auto endpoint = wire::parse_endpoint(listen);
  if (!endpoint) return std::nullopt;
  line.listen = *endpoint;
  offer.window_scale = static_cast<std::uint8_t>(scale);
  return line;
}

}  // namespace

OfferKeeper::OfferKeeper(const config::Settings& settings, const ServiceLayout& layout,
                         const HostFacts& host)
    : path_(settings.cookies.key_file + ".offers"),
      board_(std::make_shared<backend::LearnedBoard>(layout.backend_counts())),
      ask_at_(io::now() + ask_again_first),
      ask_everyone_at_(io::now() + ask_everyone_every),
      ask_wait_(ask_again_first) {
  lay_out(settings, layout, host);
  load();
}

OfferKeeper::OfferKeeper(const config::Settings& settings, const ServiceLayout& layout,
                         const HostFacts& host, const OfferKeeper& before)
    : path_(before.path_),
      board_(std::make_shared<backend::LearnedBoard>(*before.board_, layout.backend_counts())),
      ask_at_(io::now() + ask_again_first),
      ask_everyone_at_(io::now() + ask_everyone_every),
      ask_wait_(ask_again_first) {
  lay_out(settings, layout, host);
  std::map<wire::Endpoint, std::size_t> before_now;  // the last that was there
  for (std::size_t i = 0; i < before.histories_.size(); ++i) {
    histories_[i] = before.histories_[i];
    promised_[i] = true;
    before_now.insert_or_assign(listens_[i].endpoint, i);
  }
  // A listen that is another service's now: challenges under way were made by the old one.
  for (std::size_t i = before.histories_.size(); i < listens_.size(); ++i) {
    const auto old = before_now.find(listens_[i].endpoint);
    if (old == before_now.end()) continue;
    histories_[i] = before.histories_[old->second];
    promised_[i] = true;
  }
}

void OfferKeeper::lay_out(const config::Settings& settings, const ServiceLayout& layout,
                          const HostFacts& host) {
  const backend::Directory& directory = layout.directory();
  std::vector<std::vector<bool>> known;  // in backends_, by service and position
  for (const std::size_t count : layout.backend_counts()) known.emplace_back(count, false);
  for (std::uint16_t i = 0; i < directory.listen_count(); ++i) {
    const backend::Listen& listen = directory.listen(i);
    const auto candidates = directory.candidates(i);
    listens_.push_back({.endpoint = listen.endpoint,
                        .service = listen.service,
                        .backends = {candidates.begin(), candidates.end()},
                        .unlearned = unlearned_offer(listen.endpoint, settings, host)});
    histories_.emplace_back(listens_.back().unlearned);
    if (listen.retired) continue;
    for (const std::uint16_t position : candidates) {
      if (known[listen.service][position]) continue;
      known[listen.service][position] = true;
      backends_.push_back({directory.backend(listen.service, position), listen.service, position});
    }
  }
  promised_.assign(listens_.size(), false);
}

void OfferKeeper::follow(const config::Settings& settings, const HostFacts& host) {
  for (Listen& listen : listens_)
    listen.unlearned = unlearned_offer(listen.endpoint, settings, host);
}

void OfferKeeper::learn_first(const std::function<void()>& meanwhile) {
  ask(/*everyone=*/true);
  const Instant start = io::now();
  auto repeat = repeat_after;
  while (probe_.waiting() && io::now() < start + start_patience) {
    take(probe_.collect(std::chrono::milliseconds(20)));
    meanwhile();
    if (io::now() < start + repeat) continue;
    probe_.ask_again();
    repeat *= 2;
  }
}

void OfferKeeper::begin(Epoch present) {
  losses_heeded_ = board_->losses();
  for (std::size_t i = 0; i < listens_.size(); ++i) {
    if (!promised_[i]) histories_[i] = OfferHistory(present_offer(listens_[i]));
  }
  renew(present, &OfferHistory::begin);
  for (std::size_t i = 0; i < listens_.size(); ++i) tell(i);
  keep();
}

bool OfferKeeper::turn(Instant now, Epoch present) {
  if (probe_.waiting()) {
    take(probe_.collect(std::chrono::milliseconds(0)));
    if (now >= repeat_at_) {
      probe_.ask_again();
      repeat_at_ = now + repeat_every;
    }
  } else if (now >= ask_at_) {
    const bool everyone = now >= ask_everyone_at_;
    ask(everyone);
    if (everyone) ask_everyone_at_ = now + ask_everyone_every;
    ask_at_ = now + ask_wait_;
    repeat_at_ = now + repeat_every;
    ask_wait_ = std::min<Duration>(2 * ask_wait_, ask_again_last);
  }
  // Also where memory ends before all is told.
  const bool published = std::exchange(published_, false);
  std::vector<std::size_t> changed = shrink(present);
  for (const std::size_t listen : renew(present + 1, &OfferHistory::announce)) {
    changed.push_back(listen);
  }
  for (const std::size_t listen : changed) tell(listen);
  published_ = published && changed.empty();
  if (!published_) keep();
  return !published_;
}

ServiceOffer OfferKeeper::present_offer(const Listen& listen) const {
  std::vector<backend::LearnedOptions> known;
  known.reserve(listen.backends.size());
  for (const std::uint16_t position : listen.backends) {
    known.push_back(board_->find(listen.service, position).value_or(backend::LearnedOptions{}));
  }
  return backend::offer_for(listen.unlearned, known);
}

void OfferKeeper::ask(bool everyone) {
  std::vector<std::size_t> asked;
  std::vector<wire::Endpoint> targets;
  for (std::size_t i = 0; i < backends_.size(); ++i) {
    const auto known = board_->find(backends_[i].service, backends_[i].position);
    if (!everyone && known && known->settled()) continue;
    board_->asked(backends_[i].service, backends_[i].position);
    asked.push_back(i);
    targets.push_back(backends_[i].endpoint);
  }
  if (asked.empty()) return;
  asked_ = std::move(asked);
  probe_.ask(targets);
}

void OfferKeeper::take(const std::vector<io::OptionProbe::Answer>& answers) {
  for (const io::OptionProbe::Answer& answer : answers) {
    if (answer.refused) continue;
    const Backend& backend = backends_[asked_[answer.target]];
    board_->learn_anew(backend.service, backend.position,
                       {.window = answer.window,
                        .options = answer.options,
                        .ecn_echo = answer.ecn_echo,
                        .ipv4 = backend.endpoint.address.is_ipv4()});
  }
}

void OfferKeeper::tell(std::size_t listen) const {
  service::log_debug("clients of {} are offered {}", wire::to_string(listens_[listen].endpoint),
                     words_for(histories_[listen].newest().offer));
}

// The workers have done the same when they heard of it; here it is for the file and the log. Where
// the loss is over already, they hear from here that the offer holds again.
std::vector<std::size_t> OfferKeeper::shrink(Epoch present) {
  std::vector<std::size_t> changed;
  const std::uint32_t losses = board_->losses();
  const bool lost_meanwhile = std::exchange(losses_heeded_, losses) != losses;
  for (std::size_t i = 0; i < listens_.size(); ++i) {
    ServiceOffer offer = histories_[i].at(present);
    for (const std::uint16_t position : listens_[i].backends) {
      const auto known = board_->find(listens_[i].service, position);
      if (known) offer = backend::what_holds(offer, *known);
    }
    const bool holds = offer == histories_[i].at(present);
    if (holds && !lost_meanwhile) continue;
    if (holds) {
      histories_[i].announce(present + 1, histories_[i].newest().offer);
    } else {
      histories_[i].begin(present, offer);
    }
    changed.push_back(i);
  }
  return changed;
}

std::vector<std::size_t> OfferKeeper::renew(Epoch from,
                                            void (OfferHistory::*how)(Epoch, const ServiceOffer&)) {
  std::vector<std::size_t> changed;
  for (std::size_t i = 0; i < listens_.size(); ++i) {
    const ServiceOffer offer = present_offer(listens_[i]);
    if (histories_[i].holds(from, offer)) continue;
    (histories_[i].*how)(from, offer);
    changed.push_back(i);
  }
  return changed;
}

void OfferKeeper::load() {
  std::ifstream file(path_);
  std::map<wire::Endpoint, std::size_t> by_endpoint;
  for (std::size_t i = 0; i < listens_.size(); ++i) by_endpoint.emplace(listens_[i].endpoint, i);
  std::vector<std::vector<OfferHistory::Entry>> entries(listens_.size());  // newest first
  for (std::string text; std::getline(file, text);) {
    const auto line = parse_line(text);
    if (!line) continue;
    const auto listen = by_endpoint.find(line->listen);
    if (listen != by_endpoint.end()) entries[listen->second].push_back(line->entry);
  }
  for (std::size_t i = 0; i < listens_.size(); ++i) {
    if (entries[i].empty()) continue;
    promised_[i] = true;
    histories_[i] = OfferHistory(entries[i].back());
    for (auto entry = entries[i].rbegin() + 1; entry != entries[i].rend(); ++entry) {
      histories_[i].begin(entry->from, entry->offer);  // keeps others of its epoch
    }
  }
}

// Best effort: without it, challenges under way at a restart are lost if the servers changed.
void OfferKeeper::keep() const {
  std::string text;
  for (std::size_t i = 0; i < listens_.size(); ++i) {
    for (const OfferHistory::Entry& entry : histories_[i].entries()) {
      text += line_of(listens_[i].endpoint, entry);
    }
  }
  replace_file(path_, text);
}

}  // namespace synward
