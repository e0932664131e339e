# Stands in for the image of MongoDB: the mongod of the requirements, and MongoDB's own shell from npm.
FROM carrel-stand-in:debian
RUN useradd --uid 999 --no-create-home mongodb && mkdir -p /data/db && chown mongodb /data/db
COPY mongod node /usr/bin/
COPY mongosh /opt/mongosh
COPY mongo.sh /usr/local/bin/entrypoint
RUN ln -s /opt/mongosh/node_modules/mongosh/bin/mongosh.js /usr/bin/mongosh \
    && chmod 755 /usr/bin/mongod /usr/bin/node /usr/local/bin/entrypoint
VOLUME ["/data/db"]
EXPOSE 27017
ENTRYPOINT ["entrypoint"]
CMD ["mongod"]
