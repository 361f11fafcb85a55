// A port program as Erlang's interoperability tutorial has them: {packet, 2}, terms by erl_interface. {add, A, B} is
// answered by {ok, A + B}, all else by {error, Term}.
#include <cstdlib>
#include <cstring>
#include <string>

#include <unistd.h>

#include <ei.h>

static bool readAll(char* into, size_t size) {
  for (size_t got = 0; got < size;) {
    const ssize_t n = read(0, into + got, size - got);
    if (n <= 0) return false;
    got += static_cast<size_t>(n);
  }
  return true;
}

int main() {
  unsigned char header[2];
  while (readAll(reinterpret_cast<char*>(header), sizeof header)) {
    std::string packet(size_t{header[0]} << 8 | header[1], '\0');
    if (!readAll(&packet[0], packet.size())) return 1;

    int index = 0, version, arity;
    char atom[MAXATOMLEN];
    long a, b;
    ei_x_buff answer;
    ei_x_new_with_version(&answer);
    ei_x_encode_tuple_header(&answer, 2);
    if (ei_decode_version(packet.data(), &index, &version)) return 2;
    const int start = index;
    if (!ei_decode_tuple_header(packet.data(), &index, &arity) && arity == 3 &&
        !ei_decode_atom(packet.data(), &index, atom) && !std::strcmp(atom, "add") &&
        !ei_decode_long(packet.data(), &index, &a) && !ei_decode_long(packet.data(), &index, &b)) {
      ei_x_encode_atom(&answer, "ok");
      ei_x_encode_long(&answer, a + b);
    } else {
      ei_x_encode_atom(&answer, "error");
      ei_x_append_buf(&answer, packet.data() + start, static_cast<int>(packet.size()) - start);
    }
    const char length[2] = {static_cast<char>(answer.index >> 8), static_cast<char>(answer.index)};
    std::string out(length, sizeof length);
    out.append(answer.buff, static_cast<size_t>(answer.index));
    if (write(1, out.data(), out.size()) != static_cast<ssize_t>(out.size())) return 3;
    ei_x_free(&answer);
  }
  return 0;
}
