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
  push({from, offer}, from);
}

void OfferHistory::begin(Epoch present, const ServiceOffer& offer) {
  push({present, offer}, present + 1);
}

// Nobody has made an offer that has not begun; it leaves no trace.
void OfferHistory::push(const Entry& newest, Epoch begun_before) {
  const auto begun = [&](const Entry& e) { return e.from < begun_before; };
  const auto kept = std::ranges::find_if(entries(), begun);
  const auto skipped = static_cast<std::size_t>(kept - entries().begin());
  std::array<Entry, entries_max> entries{};
  entries[0] = newest;
  std::size_t count = 1;
  for (std::size_t i = skipped; i < count_ && count < entries.size(); ++i) {
    entries[count++] = entries_[i];
  }
  entries_ = entries;
  count_ = count;
}

OfferHistory::Tries OfferHistory::tries(Epoch epoch) const {
  Tries result;
  const std::size_t present = index_at(epoch);
  result.add(entries_[present].offer);
  // An offer is still made in the epoch in which the next one begins: before it does (begin()), or
  // by a worker that has not heard of it yet. A cookie of the epoch before is accepted (C3).
  for (std::size_t i = present + 1; i < count_ && entries_[i - 1].from + 1 >= epoch; ++i) {
    result.add(entries_[i].offer);
  }
  for (std::size_t i = present; i > 0; --i) result.add(entries_[i - 1].offer);
  return result;
}

}  // namespace synward::handshake
