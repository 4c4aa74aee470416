FROM rust:1-slim-bookworm AS build
WORKDIR /build
COPY . .
# Downloads and compiled crates stay in the builder's caches; only the binary is copied.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin stackledger \
    && cp target/release/stackledger /usr/local/bin/

FROM debian:bookworm-slim
# A number, so that an orchestrator can check that it is not root.
USER 10001:10001
COPY --from=build /usr/local/bin/stackledger /usr/local/bin/stackledger
EXPOSE 8080
ENTRYPOINT ["stackledger"]
CMD ["up"]
