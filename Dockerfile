# The image: the program, the libraries that it links, the certificates of public authorities, and nothing else. There is
# no shell, no package manager and no file that the program's user can write.
#
#   docker build --tag vestibule .
#
# The same sources give the same program when the base is the same one: pin it by digest,
# `--build-arg RUST_IMAGE=rust@sha256:..`, and give the time of the commit, `--build-arg SOURCE_DATE_EPOCH=..`.
ARG RUST_IMAGE=rust:1.95-slim-bookworm

FROM ${RUST_IMAGE} AS build
ARG SOURCE_DATE_EPOCH=0
ENV CARGO_INCREMENTAL=0 \
    CARGO_NET_RETRY=5 \
    RUSTFLAGS="--remap-path-prefix=/src=." \
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH}
# The allocator is built by make.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# Pages of up to 64 KiB: kernels for arm64 have them.
ENV JEMALLOC_SYS_WITH_LG_PAGE=16
RUN cargo build --release --locked --package idp --bin idp --features jemalloc \
    && scripts/image-root target/release/idp /image

FROM scratch
COPY --from=build /image /
USER 65532:65532
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/idp"]
CMD ["serve", "--config", "/etc/vestibule/idp.toml"]
