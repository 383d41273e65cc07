// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/backend/learned.h"

#include <algorithm>

namespace synward::backend {
namespace {

// A window below a segment would only make the client wait.
constexpr std::uint16_t window_min = 536;

Accepts accepts(bool asked, bool said, Accepts before) {
  if (!asked) return before;
  return said ? Accepts::yes : Accepts::no;
}

// A server that answers from a SYN cookie takes no scale and no SACK from a client without
// timestamps, and takes them again from the next one. What was promised of them is translated (W1,
// W2), so only a learning SYN takes them back.
Accepts accepts_lastingly(bool asked, bool said, Accepts before) {
  return before == Accepts::yes ? before : accepts(asked, said, before);
}

// What a missing option says is what every host takes (RFC 1122 3.3.3, RFC 8200 5): a smaller one
// is no server's.
std::uint16_t mss_of(const Answer& answer) {
  const std::uint16_t least = wire::default_mss(answer.ipv4);
  return std::max(answer.options.mss.value_or(least), least);
}

std::uint16_t smaller_window(std::uint16_t known, std::uint16_t said) {
  if (known < window_min) return said;
  return said < window_min ? known : std::min(known, said);
}

// LearnedOptions in a word, of which one bit tells that it holds something.
constexpr std::uint64_t heard = std::uint64_t{1} << 63;
constexpr unsigned window_at = 16, scale_at = 32, scaling_at = 36, sack_at = 38, timestamps_at = 40,
                   ecn_at = 42, window_since_asked_at = 44;

std::uint64_t pack(const LearnedOptions& options) {
  return heard | std::uint64_t{options.mss} | std::uint64_t{options.window} << window_at |
         std::uint64_t{options.window_scale} << scale_at |
         static_cast<std::uint64_t>(options.scaling) << scaling_at |
         static_cast<std::uint64_t>(options.sack) << sack_at |
         static_cast<std::uint64_t>(options.timestamps) << timestamps_at |
         static_cast<std::uint64_t>(options.ecn) << ecn_at |
         std::uint64_t{options.window_since_asked} << window_since_asked_at;
}

LearnedOptions unpack(std::uint64_t word) {
  const auto accepts_at = [&](unsigned at) { return static_cast<Accepts>(word >> at & 3U); };
  return {.mss = static_cast<std::uint16_t>(word),
          .window = static_cast<std::uint16_t>(word >> window_at),
          .window_since_asked = static_cast<std::uint16_t>(word >> window_since_asked_at),
          .scaling = accepts_at(scaling_at),
          .sack = accepts_at(sack_at),
          .timestamps = accepts_at(timestamps_at),
          .ecn = accepts_at(ecn_at),
          .window_scale = static_cast<std::uint8_t>(word >> scale_at & 15U)};
}

bool some(std::span<const LearnedOptions> backends, Accepts LearnedOptions::* option,
          Accepts answer) {
  return std::ranges::any_of(backends,
                             [&](const LearnedOptions& b) { return b.*option == answer; });
}

bool all_accept(std::span<const LearnedOptions> backends, Accepts LearnedOptions::* option) {
  return some(backends, option, Accepts::yes) && !some(backends, option, Accepts::no) &&
         !some(backends, option, Accepts::unknown);
}

bool accepts_less(const LearnedOptions& before, const LearnedOptions& after) {
  const auto refused = [&](Accepts LearnedOptions::* option) {
    return before.*option != Accepts::no && after.*option == Accepts::no;
  };
  return refused(&LearnedOptions::timestamps) || refused(&LearnedOptions::ecn);
}

}  // namespace

LearnedOptions learn(const LearnedOptions& before, const Asked& asked, const Answer& answer) {
  LearnedOptions after = before;
  // A server tells one client less whose path is said to take less (Linux: RTAX_ADVMSS and the path
  // MTU, which an ICMP error sets), so it is the largest of those that clients hear. One that is
  // too large costs ICMP errors, not connections.
  after.mss = std::max(before.mss, mss_of(answer));
  after.window = smaller_window(before.window, answer.window);
  after.window_since_asked = smaller_window(before.window_since_asked, answer.window);
  after.scaling =
      accepts_lastingly(asked.scaling, answer.options.window_scale.has_value(), before.scaling);
  if (answer.options.window_scale) after.window_scale = *answer.options.window_scale;
  after.sack = accepts_lastingly(asked.sack, answer.options.sack_permitted, before.sack);
  after.timestamps =
      accepts(asked.timestamps, answer.options.timestamps.has_value(), before.timestamps);
  after.ecn = accepts(asked.ecn, answer.ecn_echo, before.ecn);
  return after;
}

// Also a server that does not answer us: else one small window would hold for ever.
LearnedOptions asked(const LearnedOptions& before) {
  LearnedOptions after = before;
  if (before.window_since_asked >= window_min) after.window = before.window_since_asked;
  after.window_since_asked = 0;
  return after;
}

LearnedOptions learn_anew(const LearnedOptions& before, const Answer& answer) {
  LearnedOptions after = learn({}, {}, answer);
  after.window = smaller_window(before.window, answer.window);
  after.window_since_asked = smaller_window(before.window_since_asked, answer.window);
  return after;
}

handshake::ServiceOffer offer_for(const handshake::ServiceOffer& unlearned,
                                  std::span<const LearnedOptions> backends) {
  handshake::ServiceOffer offer = unlearned;
  // Segments that one backend takes and another does not are cut to the smaller.
  for (const LearnedOptions& backend : backends) {
    if (backend.mss != 0) offer.mss = std::min(offer.mss, backend.mss);
    if (backend.window >= window_min) offer.window = std::min(offer.window, backend.window);
  }
  // W1: the windows of the others are rescaled. The largest scale loses a few bytes of a window,
  // a smaller one would cap it. Where no backend scales, nothing is promised.
  const bool some_scale = some(backends, &LearnedOptions::scaling, Accepts::yes);
  if (some_scale || some(backends, &LearnedOptions::scaling, Accepts::no)) {
    offer.window_scale = SYNWARD_WINDOW_SCALE_ABSENT;
    for (const LearnedOptions& backend : backends) {
      if (backend.scaling != Accepts::yes) continue;
      const bool first = offer.window_scale == SYNWARD_WINDOW_SCALE_ABSENT;
      offer.window_scale =
          first ? backend.window_scale : std::max(offer.window_scale, backend.window_scale);
    }
  }
  if (some(backends, &LearnedOptions::sack, Accepts::yes)) offer.sack = true;
  if (some(backends, &LearnedOptions::sack, Accepts::no)) offer.sack = false;
  offer.timestamps = all_accept(backends, &LearnedOptions::timestamps);  // W2
  offer.ecn = all_accept(backends, &LearnedOptions::ecn);                // O5
  return offer;
}

handshake::ServiceOffer what_holds(const handshake::ServiceOffer& made,
                                   const LearnedOptions& backend) {
  handshake::ServiceOffer offer = made;
  if (backend.timestamps == Accepts::no) offer.timestamps = false;
  if (backend.ecn == Accepts::no) offer.ecn = false;
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
  correct(service, position,
          [&](const LearnedOptions& before) { return backend::learn(before, asked, answer); });
}

void LearnedBoard::asked(std::uint16_t service, std::uint16_t position) {
  if (words_[service][position].load(std::memory_order_relaxed) == 0) return;
  correct(service, position, [](const LearnedOptions& before) { return backend::asked(before); });
}

void LearnedBoard::learn_anew(std::uint16_t service, std::uint16_t position, const Answer& answer) {
  correct(service, position,
          [&](const LearnedOptions& before) { return backend::learn_anew(before, answer); });
}

template <typename Lesson>
void LearnedBoard::correct(std::uint16_t service, std::uint16_t position, const Lesson& lesson) {
  std::atomic<std::uint64_t>& word = words_[service][position];
  const std::uint64_t known = word.load(std::memory_order_relaxed);
  const LearnedOptions before = known == 0 ? LearnedOptions{} : unpack(known);
  const LearnedOptions after = lesson(before);
  // Most answers teach nothing new: the line stays shared between the workers' caches.
  if (pack(after) == known) return;
  word.store(pack(after), std::memory_order_relaxed);
  if (accepts_less(before, after)) losses_.fetch_add(1, std::memory_order_release);
}

}  // namespace synward::backend
