// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/offers.h"

#include <algorithm>

namespace synward::handshake {

std::size_t OfferHistory::index_at(Epoch epoch) const {
  for (std::size_t i = 0; i + 1 < count_; ++i) {
    if (entries_[i].from <= epoch) return i;
  }
  return count_ - 1;  // older than all that is remembered: the oldest is the best guess
}

void OfferHistory::announce(Epoch from, const ServiceOffer& offer) {
  push({from, offer}, from - 1);
}

void OfferHistory::begin(Epoch present, const ServiceOffer& offer) {
  push({present, offer}, present);
}

void OfferHistory::remember(const OfferHistory& made, Epoch present) {
  const std::size_t last_made = made.index_at(present);
  for (std::size_t i = last_made; i < made.count_; ++i) {
    const Entry& entry = made.entries_[i];
    if (entry.from > present || (i > last_made && !made.accepted(i, present))) return;
    if (std::ranges::find(entries(), entry) != entries().end()) continue;
    const auto older =
        std::ranges::find_if(entries(), [&](const Entry& e) { return e.from < entry.from; });
    insert(static_cast<std::size_t>(older - entries().begin()), entry, present);
  }
}

// Nobody has made an offer that has not begun; it leaves no trace.
void OfferHistory::push(const Entry& newest, Epoch present) {
  const auto begun =
      std::ranges::find_if(entries(), [&](const Entry& e) { return e.from <= present; });
  const auto skipped = static_cast<std::size_t>(begun - entries().begin());
  std::shift_left(entries_.begin(), entries_.end(), static_cast<std::ptrdiff_t>(skipped));
  count_ -= skipped;
  insert(0, newest, present);
}

void OfferHistory::insert(std::size_t place, const Entry& entry, Epoch present) {
  std::shift_right(entries_.begin() + place, entries_.end(), 1);
  entries_[place] = entry;
  if (++count_ > entries_max) forget_one(present);
}

// The oldest, if it is over. Else the one that was replaced last: the oldest was made for longer,
// and more of its cookies are under way.
void OfferHistory::forget_one(Epoch present) {
  const std::size_t oldest = count_ - 1;
  const std::size_t gone =
      accepted(oldest, present) ? std::min(index_at(present) + 1, oldest) : oldest;
  std::shift_left(entries_.begin() + gone, entries_.end(), 1);
  --count_;
}

OfferHistory::Tries OfferHistory::tries(Epoch epoch) const {
  Tries result;
  const std::size_t present = index_at(epoch);
  result.add(entries_[present].offer);
  // An offer is still made in the epoch in which the next one begins: before it does (begin()), or
  // by a worker that has not heard of it yet. A cookie of the epoch before is accepted (C3).
  for (std::size_t i = present + 1; i < count_ && accepted(i, epoch); ++i) {
    result.add(entries_[i].offer);
  }
  for (std::size_t i = present; i > 0; --i) result.add(entries_[i - 1].offer);
  return result;
}

}  // namespace synward::handshake
