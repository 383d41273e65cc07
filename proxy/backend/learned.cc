// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/backend/learned.h"

#include <algorithm>

namespace synward::backend {
namespace {

Accepts accepts(bool asked, bool said, Accepts before) {
  if (!asked) return before;
  return said ? Accepts::yes : Accepts::no;
}

// LearnedOptions in a word, of which one bit tells that it holds something.
constexpr std::uint64_t heard = std::uint64_t{1} << 63;
constexpr unsigned window_at = 16, scale_at = 32, scaling_at = 36, sack_at = 38, timestamps_at = 40,
                   ecn_at = 42;

std::uint64_t pack(const LearnedOptions& options) {
  return heard | std::uint64_t{options.mss} | std::uint64_t{options.window} << window_at |
         std::uint64_t{options.window_scale} << scale_at |
         static_cast<std::uint64_t>(options.scaling) << scaling_at |
         static_cast<std::uint64_t>(options.sack) << sack_at |
         static_cast<std::uint64_t>(options.timestamps) << timestamps_at |
         static_cast<std::uint64_t>(options.ecn) << ecn_at;
}

LearnedOptions unpack(std::uint64_t word) {
  const auto accepts_at = [&](unsigned at) { return static_cast<Accepts>(word >> at & 3U); };
  return {.mss = static_cast<std::uint16_t>(word),
          .window = static_cast<std::uint16_t>(word >> window_at),
          .scaling = accepts_at(scaling_at),
          .sack = accepts_at(sack_at),
          .timestamps = accepts_at(timestamps_at),
          .ecn = accepts_at(ecn_at),
          .window_scale = static_cast<std::uint8_t>(word >> scale_at & 15U)};
}

// Some say yes and none says no.
bool all_accept(std::span<const LearnedOptions> backends, Accepts LearnedOptions::* option) {
  bool some = false;
  for (const LearnedOptions& backend : backends) {
    if (backend.*option == Accepts::no) return false;
    some = some || backend.*option == Accepts::yes;
  }
  return some;
}

bool none_known(std::span<const LearnedOptions> backends, Accepts LearnedOptions::* option) {
  return std::ranges::all_of(
      backends, [&](const LearnedOptions& b) { return b.*option == Accepts::unknown; });
}

}  // namespace

LearnedOptions learn(const LearnedOptions& before, const Asked& asked, const Answer& answer) {
  LearnedOptions after = before;
  after.mss = answer.options.mss.value_or(0);
  after.window = answer.window;
  after.scaling = accepts(asked.scaling, answer.options.window_scale.has_value(), before.scaling);
  if (answer.options.window_scale) after.window_scale = *answer.options.window_scale;
  after.sack = accepts(asked.sack, answer.options.sack_permitted, before.sack);
  after.timestamps =
      accepts(asked.timestamps, answer.options.timestamps.has_value(), before.timestamps);
  after.ecn = accepts(asked.ecn, answer.ecn_echo, before.ecn);
  return after;
}

handshake::ServiceOffer offer_for(const handshake::ServiceOffer& unlearned,
                                  std::span<const LearnedOptions> backends) {
  handshake::ServiceOffer offer = unlearned;
  // Segments that one backend takes and another does not are cut to the smaller; a window below a
  // segment would only make the client wait.
  constexpr std::uint16_t window_min = 536;
  for (const LearnedOptions& backend : backends) {
    if (backend.mss != 0) offer.mss = std::min(offer.mss, backend.mss);
    if (backend.window >= window_min) offer.window = std::min(offer.window, backend.window);
  }
  // W1: the windows of the others are rescaled. The largest scale loses a few bytes of a window,
  // a smaller one would cap it. Where no backend scales, nothing is promised.
  if (!none_known(backends, &LearnedOptions::scaling)) {
    offer.window_scale = SYNWARD_WINDOW_SCALE_ABSENT;
    for (const LearnedOptions& backend : backends) {
      if (backend.scaling != Accepts::yes) continue;
      const bool first = offer.window_scale == SYNWARD_WINDOW_SCALE_ABSENT;
      offer.window_scale =
          first ? backend.window_scale : std::max(offer.window_scale, backend.window_scale);
    }
  }
  if (!none_known(backends, &LearnedOptions::sack)) {
    offer.sack = all_accept(backends, &LearnedOptions::sack);
  }
  offer.timestamps = all_accept(backends, &LearnedOptions::timestamps);  // W2
  offer.ecn = all_accept(backends, &LearnedOptions::ecn);                // O5
  return offer;
}

LearnedBoard::LearnedBoard(const std::vector<std::size_t>& backends_per_service) {
  for (const std::size_t count : backends_per_service) words_.emplace_back(count);
}

LearnedBoard::LearnedBoard(const LearnedBoard& before,
                           const std::vector<std::size_t>& backends_per_service)
    : LearnedBoard(backends_per_service) {
  for (std::size_t service = 0; service < before.words_.size(); ++service) {
    for (std::size_t i = 0; i < before.words_[service].size(); ++i) {
      words_[service][i] = before.words_[service][i].load(std::memory_order_relaxed);
    }
  }
}

std::optional<LearnedOptions> LearnedBoard::find(std::uint16_t service,
                                                 std::uint16_t position) const {
  const std::uint64_t word = words_[service][position].load(std::memory_order_relaxed);
  if (word == 0) return std::nullopt;
  return unpack(word);
}

void LearnedBoard::learn(std::uint16_t service, std::uint16_t position, const Asked& asked,
                         const Answer& answer) {
  std::atomic<std::uint64_t>& word = words_[service][position];
  const std::uint64_t before = word.load(std::memory_order_relaxed);
  const LearnedOptions known = before == 0 ? LearnedOptions{} : unpack(before);
  const std::uint64_t after = pack(backend::learn(known, asked, answer));
  // Most answers teach nothing new: the line stays shared between the workers' caches.
  if (after != before) word.store(after, std::memory_order_relaxed);
}

}  // namespace synward::backend
