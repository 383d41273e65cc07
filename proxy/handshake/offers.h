// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <array>
#include <cstddef>
#include <span>

#include "proxy/handshake/challenge.h"

namespace synward::handshake {

// What one listen offered of late (C10). An offer promises more from the beginning of an
// epoch only, so that workers that hear of it at different moments, and a daemon that starts again,
// agree about it; it promises less at once (W2), and both are redeemed meanwhile. Plain data,
// copied to every worker.
class OfferHistory {
 public:
  struct Entry {
    Epoch from = 0;  // made from this epoch on, until the next newer entry's
    ServiceOffer offer;
    bool operator==(const Entry&) const = default;
  };

  OfferHistory() = default;
  explicit OfferHistory(const ServiceOffer& offer) : OfferHistory({0, offer}) {}
  explicit OfferHistory(const Entry& oldest) { entries_[0] = oldest; }

  // What challenges of this epoch promise.
  const ServiceOffer& at(Epoch epoch) const { return entries_[index_at(epoch)].offer; }
  // The newest, which may not have begun yet.
  const Entry& newest() const { return entries_[0]; }
  // From `from` on this offer is made and no other, as far as is known.
  bool holds(Epoch from, const ServiceOffer& offer) const {
    return newest().from <= from && newest().offer == offer;
  }
  // From `from` on `offer` is made; replaces what was announced for that epoch or a later one.
  void announce(Epoch from, const ServiceOffer& offer);
  // In the middle of the present epoch: at start, after a reload, and where a promise no longer
  // holds.
  void begin(Epoch present, const ServiceOffer& offer);

  // What another history of the same listen made, as long as its cookies are accepted: it is tried
  // too, and goes on where it began later than what is made here.
  void remember(const OfferHistory& made, Epoch present);

  // Newest first; never empty.
  std::span<const Entry> entries() const { return {entries_.data(), count_}; }

  // What a cookie that is redeemed in `epoch` may have been made with, likeliest first: the present
  // offer; those before it, while their last epoch is accepted; one that was announced, which a
  // node slightly ahead makes already.
  class Tries;
  Tries tries(Epoch epoch) const;

 private:
  void push(const Entry& newest, Epoch present);
  void insert(std::size_t place, const Entry& entry, Epoch present);
  void forget_one(Epoch present);
  std::size_t index_at(Epoch epoch) const;
  // Cookies of this entry, which is not the newest, are still accepted.
  bool accepted(std::size_t index, Epoch epoch) const {
    return entries_[index - 1].from + 1 >= epoch;
  }

  // One that was announced, one that began, and what was taken back within an epoch and the one
  // before it.
  static constexpr std::size_t entries_max = 6;
  std::array<Entry, entries_max + 1> entries_{};  // one more while another is forgotten for it
  std::size_t count_ = 1;
};

class OfferHistory::Tries {
 public:
  std::span<const ServiceOffer> all() const { return {offers_.data(), count_}; }
  const ServiceOffer& operator[](std::size_t index) const { return offers_[index]; }
  void add(const ServiceOffer& offer) { offers_[count_++] = offer; }

 private:
  std::array<ServiceOffer, entries_max> offers_{};
  std::size_t count_ = 0;
};

}  // namespace synward::handshake
