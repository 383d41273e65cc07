// SPDX-License-Identifier: GPL-2.0-or-later
//
// Sets and maps. Their types, and the notes that `nft` keeps with a set (user data, which the
// kernel only stores), are those that `nft` itself would give them: what `nft list` prints, it must
// be able to read again.
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "daemon/io/nft_objects.h"
#include "daemon/io/nft_owned.h"

namespace synward::io {
namespace {

// An element list is one nested attribute, so at most 64 KiB: sets are filled in pieces.
constexpr std::size_t elements_per_message = 500;

using Set = NftOwned<nftnl_set, nftnl_set_free>;
using Notes = NftOwned<nftnl_udata_buf, nftnl_udata_buf_free>;

struct SetShape {
  const char* table;
  const char* name;
  std::uint16_t family;
  std::uint32_t id;
  std::uint32_t key_length;
  std::uint32_t size;
  std::uint32_t flags = NFT_SET_CONSTANT;
};

// A declared size and `constant` make the kernel choose its fixed hash table.
Set make_set(const SetShape& shape, const NftKeyType& type) {
  Set set = nft_checked<Set>(nftnl_set_alloc());
  nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, shape.table);
  nftnl_set_set_str(set.get(), NFTNL_SET_NAME, shape.name);
  nftnl_set_set_u32(set.get(), NFTNL_SET_FAMILY, shape.family);
  nftnl_set_set_u32(set.get(), NFTNL_SET_ID, shape.id);
  nftnl_set_set_u32(set.get(), NFTNL_SET_KEY_TYPE, type.number);
  nftnl_set_set_u32(set.get(), NFTNL_SET_KEY_LEN, shape.key_length);
  nftnl_set_set_u32(set.get(), NFTNL_SET_DESC_SIZE, shape.size);
  nftnl_set_set_u32(set.get(), NFTNL_SET_FLAGS, shape.flags);
  return set;
}

// Without it keys in the CPU's byte order would be printed backwards.
void note_byte_order(nftnl_udata_buf* notes) {
  constexpr std::uint32_t host_endian = 1;
  nftnl_udata_put_u32(notes, NFTNL_UDATA_SET_KEYBYTEORDER, host_endian);
}

// `typeof @th,OFFSET,LENGTH`, part `number` of a concatenation: nft's expression 7 with its
// attributes, protocol and field (0: raw), base, place in bits.
void note_raw_field(nftnl_udata_buf* notes, std::uint8_t number, NftField field) {
  constexpr std::uint32_t payload = 7, transport_header = 3;
  nftnl_udata* const part = nftnl_udata_nest_start(notes, number);
  nftnl_udata_put_u32(notes, NFTNL_UDATA_SET_TYPEOF_EXPR, payload);
  nftnl_udata* const data = nftnl_udata_nest_start(notes, NFTNL_UDATA_SET_TYPEOF_DATA);
  std::uint8_t attribute = 0;
  for (const std::uint32_t value :
       {std::uint32_t{0}, std::uint32_t{0}, transport_header, field.offset * 8, field.length * 8})
    nftnl_udata_put_u32(notes, attribute++, value);
  nftnl_udata_nest_end(notes, data);
  nftnl_udata_nest_end(notes, part);
}

void note_raw_fields(nftnl_udata_buf* notes, const std::array<NftField, 2>& fields) {
  constexpr std::uint32_t concatenation = 13;
  nftnl_udata* const key = nftnl_udata_nest_start(notes, NFTNL_UDATA_SET_KEY_TYPEOF);
  nftnl_udata_put_u32(notes, NFTNL_UDATA_SET_TYPEOF_EXPR, concatenation);
  nftnl_udata* const parts = nftnl_udata_nest_start(notes, NFTNL_UDATA_SET_TYPEOF_DATA);
  std::uint8_t number = 0;
  for (const NftField& field : fields) note_raw_field(notes, number++, field);
  nftnl_udata_nest_end(notes, parts);
  nftnl_udata_nest_end(notes, key);
}

void take_notes(const Set& set, const NftKeyType& type) {
  const Notes notes = nft_checked<Notes>(nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN));
  if (type.raw_fields)
    note_raw_fields(notes.get(), *type.raw_fields);
  else if (type.number == NftType::ifname || type.number == NftType::integer)
    note_byte_order(notes.get());
  else
    return;
  nftnl_set_set_data(set.get(), NFTNL_SET_USERDATA, nftnl_udata_buf_data(notes.get()),
                     nftnl_udata_buf_len(notes.get()));
}

// The set owns its elements.
void add_key(const Set& set, const NftKey& key) {
  nftnl_set_elem* const element = nftnl_set_elem_alloc();
  if (element == nullptr) throw std::bad_alloc();
  nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key.bytes.data(), key.length);
  nftnl_set_elem_add(set.get(), element);
}

void add_jump(const Set& set, std::uint32_t key, const std::string& chain) {
  nftnl_set_elem* const element = nftnl_set_elem_alloc();
  if (element == nullptr) throw std::bad_alloc();
  nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, &key, sizeof key);
  nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_VERDICT, static_cast<std::uint32_t>(NFT_GOTO));
  nftnl_set_elem_set_str(element, NFTNL_SET_ELEM_CHAIN, chain.c_str());
  nftnl_set_elem_add(set.get(), element);
}

}  // namespace

void NftObjects::add_set(const char* name, const NftKeyType& type, const NftKeys& keys) {
  const SetShape shape{.table = table_,
                       .name = name,
                       .family = family_,
                       .id = batch_.next_set_id(),
                       .key_length = keys.front().length,
                       .size = static_cast<std::uint32_t>(keys.size())};
  const Set set = make_set(shape, type);
  take_notes(set, type);
  set_names_.emplace_back(name);
  batch_.add(step(NFT_MSG_NEWSET, NLM_F_CREATE, fmt::format("set {}", name)),
             [&](nlmsghdr* message) { nftnl_set_nlmsg_build_payload(message, set.get()); });
  for (std::size_t done = 0; done < keys.size(); done += elements_per_message) {
    const Set piece = make_set(shape, type);
    const std::size_t end = std::min(keys.size(), done + elements_per_message);
    for (std::size_t i = done; i < end; ++i) add_key(piece, keys[i]);
    batch_.add(
        step(NFT_MSG_NEWSETELEM, NLM_F_CREATE, fmt::format("elements of {}", name)),
        [&](nlmsghdr* message) { nftnl_set_elems_nlmsg_build_payload(message, piece.get()); });
  }
}

void NftObjects::delete_set(const std::string& name) {
  const Set set = nft_checked<Set>(nftnl_set_alloc());
  nftnl_set_set_u32(set.get(), NFTNL_SET_FAMILY, family_);
  nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, table_);
  nftnl_set_set_str(set.get(), NFTNL_SET_NAME, name.c_str());
  batch_.add(step(NFT_MSG_DELSET, 0, fmt::format("deletion of set {}", name)),
             [&](nlmsghdr* message) { nftnl_set_nlmsg_build_payload(message, set.get()); });
}

// Anonymous: the type of a named map would have to be that of a hash, which `nft` cannot write.
NftMapId NftObjects::add_verdict_map(const std::string& prefix, unsigned size) {
  const NftMapId id{batch_.next_set_id()};
  const NftKeyType type{NftType::integer};
  const Set map = make_set({.table = table_,
                            .name = anonymous_map_name,
                            .family = family_,
                            .id = id.number,
                            .key_length = sizeof(std::uint32_t),
                            .size = size,
                            .flags = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP},
                           type);
  nftnl_set_set_u32(map.get(), NFTNL_SET_DATA_TYPE, NFT_DATA_VERDICT);
  take_notes(map, type);
  batch_.add(step(NFT_MSG_NEWSET, NLM_F_CREATE, fmt::format("map to {}*", prefix)),
             [&](nlmsghdr* message) { nftnl_set_nlmsg_build_payload(message, map.get()); });
  for (unsigned key = 0; key < size; ++key) add_jump(map, key, fmt::format("{}{}", prefix, key));
  batch_.add(step(NFT_MSG_NEWSETELEM, NLM_F_CREATE, fmt::format("elements of map to {}*", prefix)),
             [&](nlmsghdr* message) { nftnl_set_elems_nlmsg_build_payload(message, map.get()); });
  return id;
}

}  // namespace synward::io
