# Stands in for the Dockerfile's base: Debian's Python, and the locked wheels in place of a registry.
FROM carrel-stand-in:debian
RUN ln -s python3 /usr/bin/python
COPY wheels /wheels
COPY pip.conf /etc/pip.conf
CMD ["python"]
